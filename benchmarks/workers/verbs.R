# Rscript verbs.R TASK.json REPORT.jsonl: seconds of lme4's and glmmTMB's verbs on one model.
suppressMessages({library(jsonlite); library(lme4); library(glmmTMB)})
files <- commandArgs(trailingOnly = TRUE)
task <- fromJSON(files[1])
data <- read.csv(task$data)
for (name in names(task$factors)) data[[name]] <- factor(data[[name]], task$factors[[name]])
if (!is.null(task$weights)) data$w <- data[[task$weights]] else data$w <- rep(1, nrow(data))
formula <- as.formula(task$formula)

timed <- function(engine, verb, call) {
  seconds <- try(system.time(suppressWarnings(suppressMessages(call())))[["elapsed"]], silent = TRUE)
  if (!inherits(seconds, "try-error"))
    cat(toJSON(list(engine = engine, verb = verb, seconds = seconds), auto_unbox = TRUE, digits = 6),
        "\n", sep = "", file = files[2], append = TRUE)
}

# Fast ones first: what is not done at the limit is left out.
tmb <- glmmTMB(formula, data, binomial, weights = w)
timed("glmmTMB", "predictions with standard errors", function() predict(tmb, type = "response", se.fit = TRUE))
timed("glmmTMB", "profile limits of all parameters", function() confint(tmb, method = "profile"))
m <- suppressMessages(glmer(formula, data, binomial, weights = w))
timed("lme4", "drop1, likelihood ratios", function() drop1(m, test = "Chisq"))
timed("lme4", "refits without each group", function() influence(m, groups = names(getME(m, "flist"))[1]))
timed("lme4", "profile limits of all parameters", function() confint(m, method = "profile"))
