"""Batch normalisation: that of torch for each learner, in stacked perceptrons and in what agents learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pg_experiments
from pg_experiments.collect.compiled_player import compiled_parts
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.batch_normed_mlp import BatchNormedMLP
from pg_experiments.tensors.batch_statistics import WholeBatch, merge_statistics
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import BLOCK
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.streams import Purpose
from tests.conftest import make_run, one_update
from tests.saved_runs import save_run

R, D, H, K = 3, 4, 6, 2
BLOCKS, SIZE = 3, 5
COUNTS = (13, 4, 8)  # steps of each learner; the rest of 3 blocks of 5 is padding
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh}
SMALL = ("num_seeds=2", "policy.hidden=8", "policy.layers=2", "policy.norm=batch")
close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)


def network(activation: str = "tanh", dropout: Tensor | None = None) -> BatchNormedMLP:
    """Perceptrons in float64 with two normalised layers, whose gains and offsets are not those of the beginning."""
    perceptrons = StackedMLP(R, D, K, hidden=H, layers=2, activation=activation, bias=True, dropout=dropout)
    perceptrons.initialise(Learners(range(R)), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    made, generator = BatchNormedMLP(perceptrons).double(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (made.gain, made.offset):
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


def batch(seed: int = 1, counts: tuple[int, ...] = COUNTS, drops: bool = False) -> WholeBatch:
    """Steps of each learner, and padding with other numbers."""
    generator, N = torch.Generator().manual_seed(seed), BLOCKS * SIZE
    x = torch.randn(len(counts), N, D, generator=generator, dtype=torch.float64) * 3 + 1
    noise = (torch.rand(len(counts), N, 2, H, generator=generator) < 0.5).double() if drops else None
    return WholeBatch(x, noise, torch.arange(N) < torch.tensor(counts)[:, None], SIZE)


class OfTorch(nn.Module):
    """A learner's layers as modules of torch."""

    def __init__(self, made: BatchNormedMLP, learner: int, activation: str, keep: float = 1.0) -> None:
        super().__init__()
        self.linears, self.norms = nn.ModuleList(), nn.ModuleList()
        for weight, bias in zip(made.network.weights, made.network.biases, strict=True):
            linear = nn.Linear(*weight.shape[1:], dtype=weight.dtype)
            linear.weight.data, linear.bias.data = weight[learner].T.detach().clone(), bias[learner, 0].detach().clone()
            self.linears.append(linear)
        for layer in range(made.gain.shape[1]):
            norm = nn.BatchNorm1d(made.gain.shape[2], dtype=made.gain.dtype)
            norm.weight.data, norm.bias.data = (
                each[learner, layer].detach().clone() for each in (made.gain, made.offset)
            )
            self.norms.append(norm)
        self.activation, self.keep = ACTIVATIONS[activation](), keep

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """[N, D] -> [N, K]."""
        for layer, norm in enumerate(self.norms):
            x = norm(self.linears[layer](x))
            x = self.activation(x if noise is None else x * noise[:, layer] / self.keep)
        return self.linears[-1](x)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Running means and variances, [L, H] each."""
        return tuple(
            torch.stack([getattr(norm, name) for norm in self.norms]) for name in ("running_mean", "running_var")
        )


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("drops", [False, True])
def test_a_batch_is_normalised_as_by_torch_and_the_gradient_goes_through_its_statistics(activation, drops):
    """Over the steps of each learner alone, in blocks, without padding; each learner drops units by its own rate."""
    rates = (0.5, 0.0, 0.25) if drops else (0.0, 0.0, 0.0)
    made, given = network(activation, torch.tensor(rates) if drops else None), batch(drops=drops)
    found = made.bind().of_batch(given)
    to = torch.randn(found.outputs.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found.outputs.backward(torch.where(given.valid[..., None], to, 0.0))
    for learner, count in enumerate(COUNTS):
        theirs = OfTorch(made, learner, activation, 1 - rates[learner])
        noise = None if given.noise is None else given.noise[learner, :count]
        outputs = theirs(given.observations[learner, :count], noise)
        close(found.outputs[learner, :count].detach(), outputs.detach())
        outputs.backward(to[learner, :count])
        for layer, linear in enumerate(theirs.linears):
            close(made.network.weights[layer].grad[learner], linear.weight.grad.T)
            close(made.network.biases[layer].grad[learner, 0], linear.bias.grad)
        for layer, norm in enumerate(theirs.norms):
            close(made.gain.grad[learner, layer], norm.weight.grad)
            close(made.offset.grad[learner, layer], norm.bias.grad)


def test_running_statistics_are_torchs_whose_first_ten_batches_count_equally():
    """`momentum=None` of torch is the mean over batches, and 0.1 its default; a policy acts as torch's `eval`."""
    made = network()
    theirs = [OfTorch(made, learner, "tanh") for learner in range(R)]
    for number in range(1, 15):
        given = batch(seed=number)
        found = made.bind().of_batch(given)
        made.merge(torch.arange(R), found.means, found.variances, given.valid.sum(1))
        for learner, count in enumerate(COUNTS):
            for norm in theirs[learner].norms:
                norm.momentum = None if number <= 10 else 0.1
            theirs[learner](given.observations[learner, :count])
    x = batch(99).observations
    for learner in range(R):
        mean, variance = theirs[learner].statistics()
        torch.testing.assert_close(made.mean[learner], mean, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(made.variance[learner], variance, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(made.bind()(x)[learner], theirs[learner].eval()(x[learner]), rtol=1e-5, atol=1e-6)


def test_a_learner_of_some_has_its_own_statistics_and_those_without_a_step_keep_theirs():
    made, learners = network(), torch.tensor([2, 0])
    given = batch(counts=(13, 0))
    found = made.bind(learners).of_batch(given)
    made.merge(learners, found.means, found.variances, given.valid.sum(1))
    assert made.batches.tolist() == [0, 0, 1]
    assert (made.mean[:2] == 0).all()
    assert (made.mean[2] != 0).all()
    x = batch().observations
    close(made.bind(learners)(x[learners]), made.bind()(x)[learners])


def test_a_batch_of_one_step_has_the_variance_0_and_its_outputs_are_finite():
    made = network()
    given = batch(counts=(1, 1, 1))
    found = made.bind().of_batch(given)
    assert (found.variances == 0).all()
    made.merge(torch.arange(R), found.means, found.variances, given.valid.sum(1))
    assert (made.variance == 0).all()
    weight, bias = made.network.bind().layers[-1]
    close(found.outputs[:, :1], made.offset[:, 1:].tanh() @ weight + bias)


def test_padding_and_the_steps_of_other_learners_change_no_bit():
    made = network()
    results = []
    for counts, blocks in (((6, 5, 9), 2), ((6, 14, 1), 3)):
        given = batch()
        N = blocks * SIZE
        given = WholeBatch(given.observations[:, :N], None, torch.arange(N) < torch.tensor(counts)[:, None], SIZE)
        made.zero_grad()
        found = made.bind().of_batch(given)
        found.outputs.backward(torch.where(given.valid[..., None], found.outputs.detach(), 0.0))
        gradients = [parameter.grad[0].clone() for parameter in made.parameters()]
        results.append([found.outputs[0, :6], found.means[0], found.variances[0], *gradients])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


@pytest.mark.parametrize(
    "overrides",
    [
        ("collect.episodes=24", "normalization=none"),
        (
            "collect=episodes",
            "collect.episodes=24",
            "normalization=none",
            "algorithm=a2c",
            "baseline=value",
            "baseline.learning_rate=null",
        ),
        ("collect=steps", "algorithm=a2c", "collect.num_envs=3", "collect.num_steps=9", "normalization=none"),
        ("collect=steps", "algorithm=ppo", "collect.num_envs=3", "collect.num_steps=9", "normalization=none"),
    ],
    ids=["reinforce", "a2c_episodes", "a2c", "ppo"],
)
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_an_agents_gradient_is_that_of_torchs_batch_norm_over_all_steps_of_the_batch(overrides, dropout):
    """Of several blocks where episodes have different lengths, after updates that have changed the statistics."""
    single = ("algorithm.num_minibatches=1", "algorithm.epochs=1") if "algorithm=ppo" in overrides else ()
    run = make_run(
        *SMALL, f"policy.dropout={dropout}", *overrides, *single, "optimizer.max_grad_norm=null",
        "algorithm.entropy_bonus=0", "optimizer.schedule=constant",
    )  # fmt: skip
    agent = run.agent
    for update in range(2):
        one_update(run, update)
    rollout = run.collector.collect(2, run.accounts.active)
    assert rollout.full or rollout.flat.valid.shape[1] > BLOCK
    layers = agent.policy.network
    theirs = [OfTorch(layers, learner, run.config.policy.activation, 1 - dropout) for learner in range(2)]
    advantages = agent.credit(rollout).advantages
    if "reinforce" not in type(agent).__name__.lower():
        weights = advantages / rollout.mask.sum((0, 2))[:, None]
    else:
        weights = advantages / rollout.mask.shape[2]
    agent.learn(rollout, torch.zeros(2))
    for learner, module in enumerate(theirs):
        mask = rollout.mask[:, learner]
        masks = rollout.dropout_masks
        noise = None if masks is None else masks[:, learner][mask].float()
        outputs = module(rollout.observations[:, learner][mask], noise)
        log_probs = outputs.log_softmax(-1).gather(1, rollout.actions[:, learner][mask][:, None])[:, 0]
        (-weights[:, learner][mask] * log_probs).sum().backward()
        near = partial(torch.testing.assert_close, rtol=2e-3, atol=2e-5)
        for layer, linear in enumerate(module.linears):
            near(layers.network.weights[layer].grad[learner], linear.weight.grad.T)
        for layer, norm in enumerate(module.norms):
            near(layers.gain.grad[learner, layer], norm.weight.grad)
            near(layers.offset.grad[learner, layer], norm.bias.grad)


@pytest.mark.parametrize("minibatches", [1, 3])
def test_ppos_ratio_is_1_as_long_as_the_parameters_have_not_changed(minibatches):
    """While acting, probabilities are others, which a ratio from there would count as a change of the policy."""
    run = make_run(
        *SMALL, "algorithm=ppo", "collect.num_envs=3", "collect.num_steps=8", "algorithm.epochs=2",
        f"algorithm.num_minibatches={minibatches}", "optimizer.learning_rate=1e-30", "policy.initialisation=torch",
    )  # fmt: skip
    one_update(run, 0)
    rollout = run.collector.collect(1, run.accounts.active)
    metrics = run.learn(rollout, run.accounts.active).metrics
    assert (metrics["approx_kl"] == 0).all()
    assert (metrics["clipfrac"] == 0).all()
    batch = WholeBatch.of(rollout, rollout.flat)
    bound = run.agent.policy.bind()
    acting, learning = bound(batch.observations, batch.noise), bound.of_batch(batch).outputs
    assert ((acting - learning).abs() > 1e-3).any()


def test_running_statistics_change_once_per_batch_and_are_those_of_the_new_parameters():
    """A batch of PPO has several epochs and mini-batches. Collecting, and a learner that failed, change nothing."""
    run = make_run(*SMALL, "algorithm=ppo", "collect.num_envs=3", "collect.num_steps=8", "policy.dropout=0")
    layers = run.agent.policy.network
    rollout = run.collector.collect(0, run.accounts.active)
    assert layers.batches.tolist() == [0, 0]
    assert (layers.mean == 0).all()
    assert (layers.variance == 1).all()
    run.learn(rollout, run.accounts.active)
    assert layers.batches.tolist() == [1, 1]
    for learner in range(2):
        module = OfTorch(layers, learner, run.config.policy.activation)
        for norm in module.norms:
            norm.momentum = None
        module(rollout.observations[:, learner].flatten(0, 1))
        mean, variance = module.statistics()
        torch.testing.assert_close(layers.mean[learner], mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layers.variance[learner], variance, rtol=1e-4, atol=1e-5)
    before = {name: value.clone() for name, value in layers.named_buffers()}
    merge_statistics(run.agent.policy.network, rollout, broken={0})
    for name, value in layers.named_buffers():
        assert torch.equal(value[0], before[name][0])
    assert layers.batches.tolist() == [1, 2]


def test_a_learner_of_a_stack_learns_as_a_run_of_its_seed_alone():
    """To the last bit beside any other learners; with another number of learners sums may be rounded differently."""
    settings = (*SMALL, "collect.episodes=4", "policy.hidden=8")
    runs = [make_run(*settings, *more) for more in ((), ("num_seeds=1", "seed=1"))]
    for run in runs:
        for update in range(3):
            one_update(run, update)
    stack, alone = (run.agent.policy.state_dict() for run in runs)
    assert set(stack) == {*alone}
    for name, value in stack.items():
        torch.testing.assert_close(value[1:], alone[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [("collect.episodes=4",), ("algorithm=ppo", "collect.num_envs=2", "collect.num_steps=16")],
    ids=["reinforce", "ppo"],
)
def test_a_restored_run_continues_with_the_same_bits(overrides):
    run, again = make_run(*SMALL, *overrides), make_run(*SMALL, *overrides)
    one_update(run, 0)
    assert (run.agent.policy.network.mean != 0).any()
    again.restore(run.state() | {"update": 1})
    one_update(run, 1), one_update(again, 1)
    for name, value in run.agent.policy.state_dict().items():
        assert torch.equal(value, again.agent.policy.state_dict()[name])


@pytest.mark.parametrize("bias", [True, False])
def test_a_compiled_loop_acts_with_the_running_statistics(bias):
    """The arrays for compiled loops are a perceptron without normalisation, with the outputs of the policy."""
    run = make_run(*SMALL, "collect.episodes=4", "policy.dropout=0.5", f"policy.bias={bias}", "normalization=running")
    for update in range(2):
        one_update(run, update)
    assert compiled_parts(run.env, run.agent.policy, torch.device("cpu")) is not None
    layers, learners = run.agent.policy.network.network, torch.tensor([1])
    form = layers.dense_form(learners)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    units, place = x, 0
    for layer, (inputs, outputs) in enumerate(zip(form.widths, form.widths[1:], strict=False)):
        weights, biases = np.split(form.parameters[0, place : place + (inputs + 1) * outputs], [inputs * outputs])
        is_last = layer == len(form.widths) - 2
        weights = weights.reshape(outputs, inputs).T if is_last else weights.reshape(inputs, outputs)
        units = units @ weights + biases
        units = units if is_last else np.maximum(units, 0)
        place += (inputs + 1) * outputs
    with torch.no_grad():
        theirs = layers.bind(learners)(torch.from_numpy(x)[None])[0]
    np.testing.assert_allclose(units, theirs, rtol=1e-4, atol=1e-5)
    assert form.drop_below.tolist() == [2**15]
    assert form.scale.tolist() == [2.0]


@pytest.mark.parametrize(
    "overrides",
    [
        ("env=pendulum", "algorithm=ppo", "normalization=running", "collect.num_envs=2", "collect.num_steps=16"),
        ("algorithm=a3c", "collect.num_envs=4", "collect.num_steps=8", "algorithm.workers=2"),
        ("env=cartpole_masked", "collect.episodes=3"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_gaussian_heads_running_observations_and_workers_learn_with_batch_norm(overrides):
    run = make_run(*SMALL, *overrides)
    one_update(run, 0)
    assert one_update(run, 1)["policy_gradient_norm"].isfinite().all()
    values = {name.rpartition(".")[2]: value for name, value in run.agent.policy.state_dict().items()}
    assert all((values["gain"][learner] != 1).any() for learner in range(2))
    assert values["batches"].tolist() == [2, 2]


def test_statistics_are_those_of_normalised_observations():
    run = make_run(*SMALL, "env=pendulum", "algorithm=ppo", "normalization=running", "policy.hidden=8")
    rollout = run.collector.collect(0, run.accounts.active)
    run.learn(rollout, run.accounts.active)
    network = run.agent.policy.network
    x = network.shared[0].affine(rollout.flat.gather(rollout.observations))
    (weight, bias), *_ = network.network.network.network.bind().layers
    torch.testing.assert_close(network.network.network.mean[:, 0], (x @ weight + bias).mean(1), rtol=1e-4, atol=1e-5)


def test_a_loaded_run_acts_with_the_statistics_of_its_learner(tmp_path):
    path = save_run(
        tmp_path / "run", *SMALL, "collect.episodes=4", "policy.dropout=0", "env.max_episodes=8",
        "normalization=running",
    )  # fmt: skip
    loaded, x = pg_experiments.load_run(path), np.random.default_rng(0).normal(size=4).astype(np.float32)
    policy = loaded.learner(greedy=False)
    layers = policy.network.network
    assert isinstance(layers, BatchNormedMLP)
    assert layers.batches.tolist() == [2]
    assert (layers.mean != 0).any()
    with torch.no_grad():
        expected = policy.distribution(policy.bind()(torch.from_numpy(x)[None, None])).probs[0, 0]
    np.testing.assert_allclose(loaded.probabilities(x), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("env=pendulum", "algorithm=sac"), "algorithm=sac does not learn from the batch .* policy.norm=layer"),
        (("algorithm.log_probs=stored",), "log_probs=stored .* use algorithm.log_probs=recomputed"),
        (("env=pong",), "graph of a whole batch is too large for images; the nearest is policy.norm=layer"),
        (("algorithm=a2c", "baseline=shared_value"), "use baseline=value"),
        (("baseline=optimal", "normalization=none"), "use baseline=leave_one_out"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_does_not_learn_with_the_statistics_of_the_batch_is_refused_in_one_line(overrides, message):
    with pytest.raises(UserError, match=f"^policy.norm=batch.*{message}") as error:
        make_run("policy.norm=batch", *overrides)
    assert "\n" not in str(error.value)
