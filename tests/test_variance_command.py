"""`python -m pg_experiments.variance` as people run it: on runs, on new policies, and with mistakes."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
import torch

import pg_experiments
from pg_experiments.estimators.catalogue import REINFORCE, UNBIASED, catalogue
from pg_experiments.estimators.drawing import draw
from pg_experiments.estimators.estimator import mean_gradient
from pg_experiments.estimators.fitted_value import fitted_value
from pg_experiments.estimators.measuring import Silent, batch_size, measure
from pg_experiments.estimators.products import gradients, inner_products
from pg_experiments.estimators.snapshot import new_snapshot
from pg_experiments.returns import RewardToGo
from pg_experiments.support.errors import UserError
from pg_experiments.variance import __main__ as command
from tests.conftest import make_run, total_loss, train_in

CORRIDOR = ("env=short_corridor", "policy=linear", "env.max_episodes=30")


def snapshot(*overrides: str):
    return new_snapshot(pg_experiments.compose("device=cpu", *overrides).run, overrides, None)


def measured(arguments: list[str]) -> None:
    command.variance(command.parse(arguments))


@pytest.fixture(scope="module")
def actor_critic(tmp_path_factory):
    """The directory of an A2C run on CartPole with two seeds."""
    folder = tmp_path_factory.mktemp("run") / "run"
    pg_experiments.train(
        "env=cartpole", "algorithm=a2c", "policy.hidden=8", "env.max_steps=600", "num_seeds=2", directory=folder,
        progress=False,
    )  # fmt: skip
    return folder


def test_a_run_gets_a_page_a_table_a_picture_and_a_csv_file_with_the_same_numbers_from_python(actor_critic, capsys):
    before = {path.name for path in actor_critic.iterdir()}
    measured([f"run={actor_critic}", "episodes=40", "batch=4"])
    printed = capsys.readouterr().out
    new = {path.name for path in actor_critic.iterdir()} - before
    assert new == {"variance_report.html", "variance.md", "variance.csv", "variance.png"}
    rows = list(csv.DictReader(io.StringIO((actor_critic / "variance.csv").read_text())))
    rows = [row for row in rows if row["relative_variance"]]  # without those that are left out
    names = [row["estimator"] for row in rows]
    assert names[0] == REINFORCE
    assert UNBIASED in names
    assert 20 <= len(names) == len(set(names))
    assert float(rows[0]["relative_variance"]) == 1
    page, text = (actor_critic / "variance_report.html").read_text(), (actor_critic / "variance.md").read_text()
    for name in names:
        assert all(name in where for where in (page, text, printed))
    assert "the run's own" in printed, "V(s) of the actor-critic is used"
    again = pg_experiments.variance(actor_critic, episodes=40, batch=4)
    assert [f"{again[name].variance.value:.6g}" for name in names] == [row["relative_variance"] for row in rows]


def test_a_new_policy_is_that_with_which_its_run_would_begin():
    found = pg_experiments.variance(pg_experiments.compose(*CORRIDOR), episodes=40, batch=4)
    assert found[UNBIASED].bias == (0, 0, 0)
    assert found["reward-to-go"].variance.value < 1


def test_the_pathwise_gradient_is_beside_the_others_where_the_environment_is_differentiable():
    smooth = ("env=double_pendulum", "env.horizon=20", "policy.hidden=8", "policy.dropout=0")
    found = measure(snapshot(*smooth), 80, 4, Silent())
    assert found["pathwise"].variance.value < 1e-3
    assert "pathwise" not in [each.name for each in found.left_out]
    others = measure(snapshot(*CORRIDOR), 40, 4, Silent()).left_out
    assert ("pathwise", "pg/ShortCorridor-v0 is not differentiable") in others


@pytest.mark.parametrize(
    "overrides",
    [
        ("env=pendulum", "policy.hidden=8", "env.max_episode_steps=20"),
        ("env=cartpole", "policy.hidden=8", "policy.dropout=0.5"),
        ("env=cartpole", "policy=gru", "policy.hidden=8"),
        ("env=pendulum", "algorithm=ppo", "policy.hidden=8", "env.max_episode_steps=20"),
    ],
    ids=["a Gaussian", "dropout", "a recurrent policy", "normalised rewards and observations"],
)
def test_it_works_for(overrides):
    found = measure(snapshot(*overrides), 20, 2, Silent())
    assert all(row.measured.variance.value > 0 for row in found.rows if row.description.is_unbiased)


def test_the_gradient_of_a_batch_is_that_of_training():
    """With the run's own returns, baseline and normalisation: what REINFORCE's loss has, turned round."""
    policy = snapshot("env=cartpole", "policy.hidden=8", "policy.dropout=0.5")
    ((rollout,),) = draw(policy, (1,), 4)
    advantages = torch.randn(rollout.mask.shape, generator=torch.Generator().manual_seed(0))
    found = mean_gradient(policy.agent, rollout, advantages)
    loss = sum(part.loss.sum() for part in policy.agent.losses(rollout, advantages))
    loss.backward()
    torch.testing.assert_close(found, -torch.cat([p.grad.flatten() for p in policy.agent.policy.parameters()]))


LIKE_A_RUN = {
    "trajectory": ("returns=trajectory", "algorithm.discount=1"),
    "reward-to-go, mean": ("baseline=mean", "algorithm.discount=1"),
    "reward-to-go, returns/batch": ("normalization=returns", "normalization.returns=batch", "algorithm.discount=1"),
    "reward-to-go γ=0.9, returns/episode": ("normalization=returns", "normalization.returns=episode"),
    "reward-to-go γ=0.9 γᵗ, leave_one_out": ("returns.exact_discount=true", "baseline=leave_one_out"),
    "reward-to-go γ=0.9, time_dependent": ("baseline=time_dependent",),
    "reward-to-go, optimal": ("baseline=optimal", "algorithm.discount=1"),
}


@pytest.mark.parametrize(
    "name",
    LIKE_A_RUN,
    ids=["trajectory", "mean", "over the batch", "over an episode", "weighted", "time-dependent", "optimal"],
)
def test_an_estimator_computes_what_a_run_with_its_settings_does(name):
    policy = snapshot("env=cartpole", "policy.hidden=8", "policy.dropout=0.5", "algorithm.discount=0.9")
    ((rollout,),) = draw(policy, (1,), 4)
    values = {0.9: policy.agent.baseline, 1.0: policy.agent.baseline}
    (estimator,) = (
        each for each in catalogue(policy, values, is_sparse=False).estimators if each.description.name == name
    )
    settings = ("collect.episodes=4", "normalization=none", "algorithm.discount=0.9", *LIKE_A_RUN[name])
    agent = make_run("env=cartpole", "policy.hidden=8", "policy.dropout=0.5", *settings).agent
    agent.policy.load_state_dict(policy.agent.policy.state_dict())
    found = estimator.gradient(policy.agent, rollout)
    total_loss(agent, rollout, agent.credit(rollout).advantages).sum().backward()
    torch.testing.assert_close(found, -torch.cat([p.grad.flatten() for p in agent.policy.parameters()]))


def test_an_estimator_that_does_not_apply_is_left_out_with_its_reason():
    policy = snapshot(*CORRIDOR)
    found = catalogue(policy, dict.fromkeys((1.0, policy.discount), policy.agent.baseline), is_sparse=True)
    assert {"trajectory, optimal", "reward-to-go, optimal"} <= {each.name for each in found.left_out}
    assert all("too large for images" in each.reason for each in found.left_out if "optimal" in each.name)
    assert all(each.reason for each in found.left_out)
    assert not {each.name for each in found.left_out} & {each.description.name for each in found.estimators}


def test_a_fitted_v_predicts_returns_in_their_own_units():
    policy = snapshot("env=cartpole", "policy.hidden=8", "policy.dropout=0.0")
    ours, others = draw(policy, (4, 10), 4)
    value = fitted_value(policy, others, 1.0)
    gamma = torch.ones(1, dtype=torch.float64)
    returns = torch.cat([RewardToGo(False)(each, None, gamma)[each.mask] for each in ours])
    values = torch.cat([value.state_values(each)[each.mask] for each in ours])
    assert (returns - values).square().mean() < 0.7 * returns.square().mean()
    (first, *_) = ours
    following = value.next_values(first, value.state_values(first))
    assert torch.equal(following[:-1][first.mask[1:]], value.state_values(first)[1:][first.mask[1:]])


def test_inner_products_are_those_of_all_parameters():
    first, second = (torch.randn(3, 70_000, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    torch.testing.assert_close(torch.tensor(inner_products(first, second)), first.double() @ second.double().T)


def test_all_estimators_see_the_same_episodes_and_v_sees_others():
    policy = snapshot(*CORRIDOR)
    ours, others = draw(policy, (3, 2), 4)
    again, _ = draw(policy, (3, 0), 4)
    assert [len(ours), len(others)] == [3, 2]
    for one, two in zip(ours, again, strict=True):
        assert torch.equal(one.actions, two.actions)
    assert ours[0].actions.shape != others[0].actions.shape or not torch.equal(ours[0].actions, others[0].actions)


def test_a_gradient_that_is_not_finite_is_named():
    policy = snapshot(*CORRIDOR)
    ((rollout,),) = draw(policy, (1,), 4)

    class Broken:
        description = dataclasses.make_dataclass("Named", ["name"])("broken")

        def gradient(self, agent, rollout):
            return torch.tensor([torch.inf])

    with pytest.raises(UserError, match="broken: a gradient is not a finite number"):
        gradients(policy.agent, Broken(), [rollout])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "run: missing; expected a run's directory"),
        (["run=nowhere"], "nowhere: "),
        (["run=x", "episode=10"], "episode=10: no such key of this command; did you mean episodes="),
        (["run=x", "policy.hidden=8"], "policy.hidden=8: no such key of this command"),
        (["env=cartpole", "checkpoint=best"], "checkpoint=best: of a run"),
        (["env=cartpole", "episodes=1"], "episodes=1: a variance is that of many episodes"),
        (["env=cartpole", "episodes=201", "batch=4"], "episodes=201: expected whole batches of 4"),
        (["env=cartpole", "episodes=40", "batch=10"], "episodes=40 with batch=10: expected at least 10 batches"),
        (["env=cartpole", "batch=1"], "batch=1: baselines are computed from other episodes"),
        (["env=cartpole", "algorithm=sac"], "algorithm=sac: has no policy gradient of an episode"),
        (["env=cartpol"], "cartpol"),
        (["env=cartpole", "episodes=many"], "episodes=many: expected"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        measured(arguments)
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_configuration_is_refused(actor_critic, tmp_path):
    other = tmp_path / "other"
    train_in(other, *CORRIDOR)
    (file,) = (actor_critic / "checkpoints").iterdir()
    other = pg_experiments.train(*CORRIDOR, directory=tmp_path / "third", progress=False)
    with pytest.raises(UserError, match="of another"):
        measured([f"run={other.path}", f"checkpoint={file}"])


def test_a_batch_is_that_of_the_run_within_limits():
    of_run = [batch_size(snapshot("env=cartpole", f"collect.episodes={own}"), 200, None) for own in (1, 5, 8, 100)]
    assert of_run == [4, 5, 8, 10]
