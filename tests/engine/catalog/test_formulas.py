"""The formulas of the field guide, written here as they are printed there, held against torch on random numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

torch.manual_seed(0)
X = torch.randn(64, dtype=torch.float64) * 3
SCORES = torch.randn(32, 5, dtype=torch.float64)
Y = torch.randint(0, 5, (32,))
NUMBERS, TARGETS = torch.randn(32, dtype=torch.float64), torch.randn(32, dtype=torch.float64)
exp, log, maximum, minimum = torch.exp, torch.log, torch.maximum, torch.minimum
ZERO = torch.zeros((), dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softmax(x):
    return exp(x) / exp(x).sum(-1, keepdim=True)


ACTIVATIONS = {
    nn.ReLU(): lambda x: maximum(ZERO, x),
    nn.LeakyReLU(0.1): lambda x: torch.where(x >= 0, x, 0.1 * x),
    nn.ReLU6(): lambda x: minimum(maximum(ZERO, x), ZERO + 6),
    nn.ELU(1.5): lambda x: torch.where(x >= 0, x, 1.5 * (exp(x) - 1)),
    nn.SELU(): lambda x: torch.where(x >= 0, 1.0507 * x, 1.7581 * (exp(x) - 1)),
    nn.CELU(1.5): lambda x: maximum(ZERO, x) + minimum(ZERO, 1.5 * (exp(x / 1.5) - 1)),
    nn.GELU(): lambda x: x * torch.distributions.Normal(ZERO, ZERO + 1).cdf(x),
    nn.GELU("tanh"): lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    nn.SiLU(): lambda x: x * sigmoid(x),
    nn.Mish(): lambda x: x * torch.tanh(log(1 + exp(x))),
    nn.Tanh(): lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
    nn.Sigmoid(): sigmoid,
    nn.Softplus(2.0): lambda x: 1 / 2 * log(1 + exp(2 * x)),
    nn.Hardswish(): lambda x: x * minimum(maximum(ZERO, x + 3), ZERO + 6) / 6,
    nn.Softmax(-1): softmax,
    nn.LogSoftmax(-1): lambda x: x - log(exp(x).sum(-1, keepdim=True)),
}


@pytest.mark.parametrize("module", ACTIVATIONS, ids=repr)
def test_an_activation_is_what_its_formula_says(module):
    torch.testing.assert_close(module(X), ACTIVATIONS[module](X), rtol=1e-4, atol=1e-6)


def of_classes(x):
    return softmax(x)[torch.arange(32), Y]


def cross_entropy(x, smoothing):
    return (1 - smoothing) * -log(of_classes(x)) + smoothing / 5 * (-log(softmax(x))).sum(-1)


def multi_margin(x):
    right = x[torch.arange(32), Y][:, None]
    return (maximum(ZERO, 1 - right + x).sum(-1) - 1) / 5


D = (NUMBERS - TARGETS).abs()
ONES = (TARGETS > 0).double()
P = sigmoid(NUMBERS)
LOSSES = [
    (nn.CrossEntropyLoss(), SCORES, Y, lambda: cross_entropy(SCORES, 0)),
    (nn.CrossEntropyLoss(label_smoothing=0.1), SCORES, Y, lambda: cross_entropy(SCORES, 0.1)),
    (nn.NLLLoss(), torch.log_softmax(SCORES, -1), Y, lambda: -torch.log_softmax(SCORES, -1)[torch.arange(32), Y]),
    (nn.MultiMarginLoss(), SCORES, Y, lambda: multi_margin(SCORES)),
    (
        nn.BCEWithLogitsLoss(pos_weight=ZERO + 3),
        NUMBERS,
        ONES,
        lambda: -(3 * ONES * log(P) + (1 - ONES) * log(1 - P)),
    ),
    (nn.BCELoss(), P, ONES, lambda: -(ONES * log(P) + (1 - ONES) * log(1 - P))),
    (nn.SoftMarginLoss(), NUMBERS, 2 * ONES - 1, lambda: log(1 + exp(-(2 * ONES - 1) * NUMBERS))),
    (nn.MSELoss(), NUMBERS, TARGETS, lambda: (NUMBERS - TARGETS) ** 2),
    (nn.L1Loss(), NUMBERS, TARGETS, lambda: D),
    (nn.SmoothL1Loss(beta=0.7), NUMBERS, TARGETS, lambda: torch.where(D < 0.7, 0.5 * D**2 / 0.7, D - 0.5 * 0.7)),
    (nn.HuberLoss(delta=0.7), NUMBERS, TARGETS, lambda: torch.where(D < 0.7, 0.5 * D**2, 0.7 * (D - 0.5 * 0.7))),
    (nn.PoissonNLLLoss(), NUMBERS, P, lambda: exp(NUMBERS) - P * NUMBERS),
    (nn.PoissonNLLLoss(log_input=False), P, ONES, lambda: P - ONES * log(P + 1e-8)),
]


@pytest.mark.parametrize(
    ("loss", "x", "y", "formula"), LOSSES, ids=lambda v: repr(v) if isinstance(v, nn.Module) else ""
)
def test_a_loss_is_the_mean_of_what_its_formula_says(loss, x, y, formula):
    torch.testing.assert_close(loss(x, y), formula().mean())


LR, STEPS = 0.1, 12


def cosine(t, T, eta_min=0.01):
    return eta_min + 0.5 * (LR - eta_min) * (1 + math.cos(math.pi * t / T))


def cyclic(t, base=0.02, step_size=4):
    cycle = math.floor(1 + t / (2 * step_size))
    return base + (LR - base) * max(0, 1 - abs(t / step_size - 2 * cycle + 1))


SCHEDULERS = [
    (lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.01), lambda t: cosine(t, STEPS)),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, eta_min=0.01), lambda t: cosine(t % 4, 4)),
    (lambda o: lr_scheduler.StepLR(o, 5, 0.3), lambda t: LR * 0.3 ** (t // 5)),
    (lambda o: lr_scheduler.MultiStepLR(o, [3, 7], 0.3), lambda t: LR * 0.3 ** sum(m <= t for m in (3, 7))),
    (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda t: LR * 0.9**t),
    (lambda o: lr_scheduler.LinearLR(o, 0.2, 0.8, 9), lambda t: LR * (0.2 + (0.8 - 0.2) * min(t, 9) / 9)),
    (lambda o: lr_scheduler.PolynomialLR(o, 9, 2.0), lambda t: LR * (1 - min(t, 9) / 9) ** 2.0),
    (lambda o: lr_scheduler.ConstantLR(o, 0.25, 4), lambda t: LR * (0.25 if t < 4 else 1)),
    (lambda o: lr_scheduler.CyclicLR(o, 0.02, LR, 4, cycle_momentum=False), cyclic),
]


@pytest.mark.parametrize(("make", "formula"), SCHEDULERS)
def test_a_scheduler_gives_the_rates_of_its_formula(make, formula):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    for t in range(STEPS):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(formula(t)), t
        optimizer.step()
        scheduler.step()


W, G = torch.randn(7, dtype=torch.float64), [torch.randn(7, dtype=torch.float64) for _ in range(4)]


def sgd(nesterov):
    w, v = W.clone(), None
    for g in G:
        d = g + 0.02 * w
        v = d if v is None else 0.9 * v + d
        w = w - LR * (d + 0.9 * v if nesterov else v)
    return w


def adam(decay=0.0, apart=0.0):
    w, m, s = W.clone(), torch.zeros(7).double(), torch.zeros(7).double()
    for t, gradient in enumerate(G, 1):
        g = gradient + decay * w
        m, s = 0.9 * m + (1 - 0.9) * g, 0.999 * s + (1 - 0.999) * g**2
        w = w - LR * apart * w - LR * (m / (1 - 0.9**t)) / ((s / (1 - 0.999**t)).sqrt() + 1e-8)
    return w


def adagrad():
    w, s = W.clone(), torch.zeros(7).double()
    for g in G:
        s = s + g**2
        w = w - LR * g / (s.sqrt() + 1e-10)
    return w


def rmsprop():
    w, s = W.clone(), torch.zeros(7).double()
    for g in G:
        s = 0.99 * s + (1 - 0.99) * g**2
        w = w - LR * g / (s.sqrt() + 1e-8)
    return w


def adadelta():
    w, s, u = W.clone(), torch.zeros(7).double(), torch.zeros(7).double()
    for g in G:
        s = 0.9 * s + (1 - 0.9) * g**2
        delta = g * (u + 1e-6).sqrt() / (s + 1e-6).sqrt()
        u = 0.9 * u + (1 - 0.9) * delta**2
        w = w - LR * delta
    return w


def adamax():
    w, m, u = W.clone(), torch.zeros(7).double(), torch.zeros(7).double()
    for t, g in enumerate(G, 1):
        m, u = 0.9 * m + (1 - 0.9) * g, maximum(0.999 * u, g.abs() + 1e-8)
        w = w - LR / (1 - 0.9**t) * m / u
    return w


def rprop():
    w, size, before = W.clone(), torch.full((7,), LR).double(), torch.zeros(7).double()
    for g in G:
        sign = torch.sign(g * before)
        size = torch.where(sign > 0, size * 1.2, torch.where(sign < 0, size * 0.5, size)).clamp(1e-6, 50)
        g = torch.where(sign < 0, ZERO, g)
        w, before = w - torch.sign(g) * size, g
    return w


def asgd():
    w, eta = W.clone(), LR
    for t, g in enumerate(G, 1):
        w = (1 - 1e-4 * eta) * w - eta * g
        eta = LR / (1 + 1e-4 * LR * t) ** 0.75
    return w


OPTIMIZERS = [
    (lambda p: torch.optim.SGD(p, LR, momentum=0.9, weight_decay=0.02), lambda: sgd(False)),
    (lambda p: torch.optim.SGD(p, LR, momentum=0.9, weight_decay=0.02, nesterov=True), lambda: sgd(True)),
    (lambda p: torch.optim.Adam(p, LR), adam),
    (lambda p: torch.optim.AdamW(p, LR, weight_decay=0.1), lambda: adam(apart=0.1)),
    (lambda p: torch.optim.Adagrad(p, LR), adagrad),
    (lambda p: torch.optim.RMSprop(p, LR), rmsprop),
    (lambda p: torch.optim.Adadelta(p, LR), adadelta),
    (lambda p: torch.optim.Adamax(p, LR), adamax),
    (lambda p: torch.optim.Rprop(p, LR), rprop),
    (lambda p: torch.optim.ASGD(p, LR), asgd),
]


@pytest.mark.parametrize(("make", "formula"), OPTIMIZERS)
def test_an_optimizer_moves_the_weights_as_its_formula_says(make, formula):
    weight = nn.Parameter(W.clone())
    optimizer = make([weight])
    for g in G:
        weight.grad = g.clone()
        optimizer.step()
    torch.testing.assert_close(weight.data, formula(), rtol=1e-6, atol=1e-8)


IN, OUT = 400, 300
SPREADS = {
    "kaiming_normal_": math.sqrt(2) / math.sqrt(IN),
    "kaiming_uniform_": math.sqrt(2) * math.sqrt(3 / IN) / math.sqrt(3),
    "xavier_normal_": math.sqrt(2 / (IN + OUT)),
    "xavier_uniform_": math.sqrt(6 / (IN + OUT)) / math.sqrt(3),
}


@pytest.mark.parametrize("name", SPREADS)
def test_an_initializer_spreads_weights_as_its_formula_says(name):
    weight = getattr(nn.init, name)(torch.empty(OUT, IN, dtype=torch.float64))
    assert float(weight.std()) == pytest.approx(SPREADS[name], rel=0.02)
    if "uniform" in name:
        assert float(weight.abs().max()) <= SPREADS[name] * math.sqrt(3)


def test_orthogonal_rows_are_at_right_angles():
    weight = nn.init.orthogonal_(torch.empty(20, 30, dtype=torch.float64), gain=2.0)
    torch.testing.assert_close(weight @ weight.T, 4.0 * torch.eye(20, dtype=torch.float64))


def test_a_gru_and_an_lstm_step_as_their_formulas_say():
    x, h, c = (torch.randn(1, n, dtype=torch.float64) for n in (3, 4, 4))
    gru, lstm = nn.GRUCell(3, 4).double(), nn.LSTMCell(3, 4).double()
    ri, zi, ni = (x @ gru.weight_ih.T + gru.bias_ih).chunk(3, -1)
    rh, zh, nh = (h @ gru.weight_hh.T + gru.bias_hh).chunk(3, -1)
    r, z = sigmoid(ri + rh), sigmoid(zi + zh)
    n = torch.tanh(ni + r * nh)
    torch.testing.assert_close(gru(x, h), (1 - z) * n + z * h)
    i, f, g, o = (x @ lstm.weight_ih.T + lstm.bias_ih + h @ lstm.weight_hh.T + lstm.bias_hh).chunk(4, -1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), torch.tanh(g)
    cell = f * c + i * g
    torch.testing.assert_close(lstm(x, (h, c)), (o * torch.tanh(cell), cell))
