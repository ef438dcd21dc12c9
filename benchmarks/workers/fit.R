# One engine of R in one process: load it, read the data, fit; a line of JSON for every step.
# Run as `Rscript fit.R task.json report.jsonl`.

arguments <- commandArgs(TRUE)
task <- jsonlite::fromJSON(arguments[1])
lines <- file(arguments[2], "w")
report <- function(...) {
  writeLines(jsonlite::toJSON(list(...), auto_unbox = TRUE, digits = NA, na = "null"), lines)
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

# What only one engine's problems have: families with a link, the shape theta to be estimated.
is_nb <- task$family == "negative binomial"
family <- if (is_nb) NULL else if (is.null(task$link)) task$family else binomial(task$link)
nAGQ <- task$nAGQ

# lme4's own log-likelihood stops its inner iterations early (0.03 too low at n = 1e4), so it is
# evaluated once more at the estimates. With nAGQ > 1 it leaves that of the saturated model out.
saturated <- function() {
  y <- data[[all.vars(formula)[1]]]
  size <- if (is.null(prior)) 1 else prior
  if (nAGQ == 1) 0
  else if (task$family == "poisson") sum(dpois(y, y, log = TRUE))
  else sum(dbinom(round(y * size), size, y, log = TRUE))
}
exact <- function(fit) {
  control <- glmerControl(tolPwrss = 1e-13, nAGQ0initStep = FALSE)
  deviance <- glmer(
    formula, data, family(fit),
    weights = prior, nAGQ = nAGQ, control = control, devFunOnly = TRUE
  )
  saturated() - deviance(c(getME(fit, "theta"), fixef(fit))) / 2
}
engines <- list(
  lme4 = list(
    fit = function() {
      if (is_nb) glmer.nb(formula, data)
      else glmer(formula, data, family, weights = prior, nAGQ = nAGQ)
    },
    loglik = exact,
    evaluations = function(fit) if (is_nb) NA else fit@optinfo$feval
  ),
  glmmTMB = list(
    fit = function() {
      glmmTMB(formula, data, if (is_nb) nbinom2() else family, weights = prior)
    },
    loglik = function(fit) as.numeric(logLik(fit)),
    evaluations = function(fit) sum(fit$fit$evaluations)
  )
)
engine <- engines[[task$engine]]

timed <- engine$fit
if (task$refits > 0) {
  fitted <- engine$fit()
  # glmmTMB's method for bootMer does not find these variables: a loop over the drawn responses.
  draws <- read.csv(task$draws)
  original <- data
  timed <- function() {
    if (task$engine == "lme4") bootMer(fitted, fixef, nsim = task$refits, seed = 1)
    else for (draw in draws) {
      data[[all.vars(formula)[1]]] <<- draw
      engine$fit()
    }
    data <<- original
    fitted
  }
}
peak_MB <- function() {
  if (!file.exists("/proc/self/status")) return(NA)
  line <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
# As in fit.py: a second fit if the limit leaves time, more if all together are quick.
times <- numeric(0)
has_time <- function() {
  share <- if (length(times) < 2) 0.75 else 0.25
  length(times) == 0 ||
    (length(times) < task$fits && sum(times, tail(times, 1)) < share * task$limit)
}
while (has_time()) {
  times <- c(times, seconds_of(fit <- timed()))
  peak <- peak_MB()
  # Evaluating the log-likelihood is no part of a user's script, which is timed as a whole.
  loglik <- if (task$summary) NA else engine$loglik(fit)
  report(
    fit_s = tail(times, 1), peak_MB = peak, loglik = loglik, evaluations = engine$evaluations(fit)
  )
}
if (task$summary) print(summary(fit))
