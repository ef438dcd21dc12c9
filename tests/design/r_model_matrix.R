# Makes r_model_matrix.json: names, terms and fingerprints of R's model matrices (R 4.2.2).
# Rscript r_model_matrix.R > r_model_matrix.json
suppressMessages({library(jsonlite); library(splines)})
set.seed(3)
n <- 24
d <- data.frame(
  a = factor(rep(c("lo", "mid", "hi"), length.out = n), levels = c("lo", "mid", "hi")),
  b = factor(rep(1:4, each = 2, length.out = n)),
  c = factor(sample(c("no", "yes"), n, TRUE)),
  o = factor(rep(c("s", "m", "l", "xl", "xxl"), length.out = n), levels = c("s", "m", "l", "xl", "xxl")),
  x = round(rnorm(n), 2),
  z.z = round(runif(n, 1, 5), 2),
  L = sample(c(TRUE, FALSE), n, TRUE),
  y = round(rnorm(n), 2)
)
data <- lapply(d, function(v) if (is.factor(v)) as.character(v) else v)
d$o <- factor(d$o, ordered = TRUE)
# The sum of every column with weights 1, 1/2, 1/3, ... tells it from all others.
fingerprint <- function(X) as.list(unname(colSums(X / seq_len(nrow(X)))))
formulas <- c(
  "y ~ 1", "y ~ 0", "y ~ a", "y ~ 0 + a", "y ~ 0 + a + b", "y ~ a * b", "y ~ a:b", "y ~ a + a:b", "y ~ a:b - 1",
  "y ~ x * a", "y ~ a + a:x", "y ~ a:x", "y ~ 0 + a:x", "y ~ x:a + a", "y ~ a * b * c", "y ~ (a + b + c)^2",
  "y ~ a / b", "y ~ a / x", "y ~ b %in% a", "y ~ a * b - a", "y ~ a * b - b", "y ~ 0 + a * b", "y ~ x + I(x^2)",
  "y ~ x + I(x**2)", "y ~ poly(x, 3)", "y ~ poly(x, 1)", "y ~ poly(x, 2, raw = TRUE)", "y ~ scale(x)",
  "y ~ scale(x, scale = FALSE)", "y ~ log(z.z) * a", "y ~ L", "y ~ L * a", "y ~ 0 + L", "y ~ I(x > 0)", "y ~ o",
  "y ~ o * a", "y ~ 0 + o", "y ~ C(a, sum)", "y ~ C(a, contr.helmert) * x",
  "y ~ C(b, contr.treatment(4, base = 2))", "y ~ a:b:c", "y ~ a:b + b:c", "y ~ x:z.z", "y ~ x * z.z * a",
  "y ~ a * b * x", "y ~ 0 + x + a:b", "y ~ poly(x, 2) * a", "y ~ factor(b):x",
  "y ~ I(z.z / 2) + sqrt(z.z) + exp(x)", "y ~ a + b:a:x", "y ~ c:a + b", "y ~ ifelse(a == \"lo\", 1, 0)",
  "y ~ log(z.z, 2)", "y ~ x + offset(z.z) + a", "y ~ -1 + x", "y ~ b:x + a:x", "y ~ a + x %in% a",
  "y ~ abs(x) + x * L:a", "y ~ (a + x) / b", "y ~ poly(x, 2):L", "y ~ bs(x, df = 5)",
  "y ~ bs(x, knots = c(-0.5, 0.5), degree = 2) * c", "y ~ bs(x, df = 4, intercept = TRUE)",
  "y ~ bs(z.z, df = 6, Boundary.knots = c(0, 6))", "y ~ ns(x, df = 4)", "y ~ ns(x, df = 3, intercept = TRUE) * c",
  "y ~ ns(z.z, knots = c(2, 3))", "y ~ ns(z.z, df = 3, Boundary.knots = c(2, 4))",
  "y ~ factor(a, levels = c(\"hi\", \"mid\", \"lo\"))", "y ~ I(-x^2 + 2 * z.z %% 2)"
)
models <- lapply(formulas, function(f) {
  X <- model.matrix(as.formula(f), d)
  list(formula = f, names = as.list(colnames(X)), fingerprint = fingerprint(X),
       assign = as.list(attr(X, "assign")), labels = as.list(attr(terms(as.formula(f)), "term.labels")))
})
cases <- list(
  list("y ~ a * b", list(a = "contr.sum")), list("y ~ a + b * x", list(b = "contr.helmert")),
  list("y ~ o + a", list(o = "contr.treatment", a = "contr.SAS")), list("y ~ b", list(b = "contr.poly")),
  list("y ~ 0 + b + a", list(b = "contr.sum", a = "contr.sum")), list("y ~ a:b", list(a = "contr.sum"))
)
contrasts <- lapply(cases, function(k) {
  X <- model.matrix(as.formula(k[[1]]), d, contrasts.arg = k[[2]])
  list(formula = k[[1]], contrasts = k[[2]], names = as.list(colnames(X)), fingerprint = fingerprint(X))
})
m <- lm(y ~ scale(x) + poly(z.z, 2) + ns(x, df = 3) + a * L, d)
new <- data.frame(x = c(-1, 0, 5, -4), z.z = c(1.5, 2, 4, 3), a = c("mid", "hi", "lo", "mid"), L = c(TRUE, FALSE, TRUE, TRUE))
newX <- model.matrix(delete.response(terms(m)), new, xlev = m$xlevels)
d$k1 <- d$x * 2
d$k2 <- d$x + d$z.z
kept <- lapply(c("y ~ x + k1 + z.z + k2 + a", "y ~ a:b", "y ~ k2 + x + z.z", "y ~ a + b + a:b + o:a"), function(f) {
  X <- model.matrix(as.formula(f), d)
  list(formula = f, names = as.list(colnames(lme4:::chkRank.drop.cols(X, kind = "silent.drop.cols"))))
})
cat(toJSON(list(data = data, models = models, contrasts = contrasts, newdata = as.list(new), newX = unname(newX),
  kept = kept), digits = 12, auto_unbox = TRUE))
