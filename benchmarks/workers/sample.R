# rstanarm in one process: load it, read the data, sample; the draws as CSV, seconds as JSON.
# Run as `Rscript sample.R task.json report.jsonl`.

arguments <- commandArgs(TRUE)
task <- jsonlite::fromJSON(arguments[1])
seconds_of <- function(expression) system.time(expression, gcFirst = FALSE)[["elapsed"]]

if (!nzchar(system.file(package = "rstanarm"))) {
  message("absent")
  quit(status = 1)
}
import_s <- seconds_of(suppressMessages(library(rstanarm)))

factors <- names(task$factors)
classes <- setNames(rep("character", length(factors)), factors)
data <- read.csv(task$data, colClasses = classes)
for (name in factors) data[[name]] <- factor(data[[name]], levels = task$factors[[name]])
formula <- as.formula(task$formula)
data$prior_weights <- if (is.null(task$weights)) 1 else data[[task$weights]]

call <- list(
  formula, data,
  family = if (task$family == "negative binomial") neg_binomial_2() else get(task$family)(),
  iter = task$tune + task$draws, warmup = task$tune,
  chains = task$chains, cores = task$cores, seed = task$seed, refresh = 0
)
# Its likelihood takes the trials of proportions as weights.
if (!is.null(task$weights)) call$weights <- quote(prior_weights)
total_s <- seconds_of(fit <- do.call(stan_glmer, call))

# Ours by name: sd_a|g, cor_b.a|g, and the dispersion as it is.
draws <- as.array(fit)
names <- dimnames(draws)[[3]]
columns <- list()
for (sigma in grep("^Sigma\\[", names, value = TRUE)) {
  parts <- regmatches(sigma, regexec("^Sigma\\[(.*):(.*),(.*)\\]$", sigma))[[1]]
  sd <- function(a) sqrt(draws[, , sprintf("Sigma[%s:%s,%s]", parts[2], a, a)])
  if (parts[3] == parts[4]) columns[[sprintf("sd_%s|%s", parts[3], parts[2])]] <- sd(parts[3])
  else {
    label <- sprintf("cor_%s.%s|%s", parts[3], parts[4], parts[2])
    columns[[label]] <- draws[, , sigma] / (sd(parts[3]) * sd(parts[4]))
  }
}
for (name in intersect(c("sigma", "shape", "reciprocal_dispersion"), names)) {
  columns[[if (name == "reciprocal_dispersion") "theta" else name]] <- draws[, , name]
}
for (name in names(fixef(fit))) columns[[name]] <- draws[, , name]
write.csv(lapply(columns, as.vector), task$posterior, row.names = FALSE)

chains <- rstan::get_elapsed_time(fit$stanfit)
divergences <- rstan::get_num_divergent(fit$stanfit)
versions <- sapply(c("rstanarm", "rstan"), function(p) as.character(packageVersion(p)))
report <- list(
  import_s = import_s, total_s = total_s, divergences = divergences,
  # Chains take turns on the cores; rstanarm compiles nothing.
  sampling_s = max(sum(chains) / min(task$cores, task$chains), max(rowSums(chains))),
  names = names(columns), versions = c(as.list(versions), R = as.character(getRversion()))
)
writeLines(jsonlite::toJSON(report, auto_unbox = TRUE, digits = NA), arguments[2])
