# One engine of R in one process: load it, read the data, fit; a line of JSON for every step.
# Run as `Rscript fit.R task.json report.jsonl`.

arguments <- commandArgs(TRUE)
task <- jsonlite::fromJSON(arguments[1])
lines <- file(arguments[2], "w")
report <- function(...) {
  writeLines(jsonlite::toJSON(list(...), auto_unbox = TRUE, digits = NA), lines)
  flush(lines)
}
seconds_of <- function(expression) system.time(expression, gcFirst = FALSE)[["elapsed"]]

if (!nzchar(system.file(package = task$engine))) {
  message("absent")
  quit(status = 1)
}
import_s <- seconds_of(suppressMessages(library(task$engine, character.only = TRUE)))
versions <- c(as.character(packageVersion(task$engine)), as.character(getRversion()))
report(import_s = import_s, versions = as.list(setNames(versions, c(task$engine, "R"))))

factors <- names(task$factors)
classes <- setNames(rep("character", length(factors)), factors)
data <- read.csv(task$data, colClasses = classes)
for (name in factors) data[[name]] <- factor(data[[name]], levels = task$factors[[name]])
formula <- as.formula(task$formula)
prior <- if (is.null(task$weights)) NULL else data[[task$weights]]

# lme4's own log-likelihood stops its inner iterations early (0.03 too low at n = 1e4), so it is
# evaluated once more at the estimates. With nAGQ > 1 it leaves that of the saturated model out.
saturated <- function() {
  y <- data[[all.vars(formula)[1]]]
  size <- if (is.null(prior)) 1 else prior
  if (task$nAGQ == 1) 0
  else if (task$family == "poisson") sum(dpois(y, y, log = TRUE))
  else sum(dbinom(round(y * size), size, y, log = TRUE))
}
exact <- function(fit) {
  control <- glmerControl(tolPwrss = 1e-13, nAGQ0initStep = FALSE)
  deviance <- glmer(
    formula, data, task$family,
    weights = prior, nAGQ = task$nAGQ, control = control, devFunOnly = TRUE
  )
  saturated() - deviance(c(getME(fit, "theta"), fixef(fit))) / 2
}
engines <- list(
  lme4 = list(
    fit = function() glmer(formula, data, task$family, weights = prior, nAGQ = task$nAGQ),
    loglik = exact,
    evaluations = function(fit) fit@optinfo$feval
  ),
  glmmTMB = list(
    fit = function() glmmTMB(formula, data, task$family, weights = prior),
    loglik = function(fit) as.numeric(logLik(fit)),
    evaluations = function(fit) sum(fit$fit$evaluations)
  )
)
engine <- engines[[task$engine]]

fits <- spent <- seconds <- 0
while (fits == 0 || (fits < task$fits && spent + seconds < task$limit)) {
  seconds <- seconds_of(fit <- engine$fit())
  fits <- fits + 1
  spent <- spent + seconds
  # Evaluating the log-likelihood is no part of a user's script, which is timed as a whole.
  loglik <- if (task$summary) NA else engine$loglik(fit)
  report(fit_s = seconds, loglik = loglik, evaluations = engine$evaluations(fit))
}
if (task$summary) print(summary(fit))
