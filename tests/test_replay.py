"""The transitions of SAC: what is stored, that files hold the newest of them, and that bad files do no harm."""

from __future__ import annotations

import pytest
import torch

from pg_experiments.algorithm.replay_files import HEADER, ReplayFiles
from pg_experiments.algorithm.transitions import Layout
from pg_experiments.support.errors import FileError
from pg_experiments.support.files import Directory
from pg_experiments.tensors.replay import Replay
from pg_experiments.tensors.rollout import Finals, Rollout

WIDTH = 3
SEEDS = (4, 7)


def rows(first: int, count: int) -> torch.Tensor:
    """[count, WIDTH]: rows that differ."""
    return torch.arange(first * WIDTH, (first + count) * WIDTH, dtype=torch.float32).view(count, WIDTH)


def filled(replay: Replay, files: ReplayFiles | None = None, parts: tuple[int, ...] = (3, 1, 4, 2)) -> Replay:
    """The same rows for both learners, those of the second negative."""
    first = 0
    for count in parts:
        if files is not None:
            files.make_room([0, 1], count)
        replay.add([0, 1], torch.stack([rows(first, count), -rows(first, count)]))
        first += count
    return replay


@pytest.mark.parametrize("capacity", [3, 4, 7, 10, 20])
def test_a_ring_has_the_newest_rows_of_each_learner(capacity):
    replay = filled(Replay(2, capacity, WIDTH))
    size = min(capacity, 10)
    assert replay.sizes([0, 1]) == [size, size]
    everything = torch.arange(size).expand(2, -1)
    found = replay.sample([1, 0], everything)
    for sign, of_learner in zip((-1, 1), found, strict=True):
        assert sorted(of_learner.tolist()) == sorted((sign * rows(10 - size, size)).tolist())
    torch.testing.assert_close(replay.newest(0, size), rows(10 - size, size))


def test_a_transition_has_the_observation_that_followed_its_step_and_not_that_of_the_next_episode():
    # one learner, one environment: steps 0 1 | truncated 2 | 3 terminated | 4, and the fragment ends
    observations = torch.arange(10.0).view(5, 1, 1, 2)
    flags = torch.zeros(2, 5, 1, 1, dtype=torch.bool)
    flags[0, 3], flags[1, 2] = True, True
    rollout = Rollout(
        learners=torch.zeros(1, dtype=torch.int64),
        observations=observations,
        actions=torch.zeros(5, 1, 1, 1),
        rewards=torch.arange(5.0).view(5, 1, 1),
        mask=torch.ones(5, 1, 1, dtype=torch.bool),
        terminated=flags[0],
        truncated=flags[1],
        finals=Finals(
            torch.tensor([[[20.0, 21.0], [40.0, 41.0], [0.0, 0.0]]]),
            torch.tensor([[2, 4, 0]]),
            torch.tensor([[True, True, False]]),
        ),
        dropout_masks=None,
        full=True,
    )
    layout = Layout((2,), 1)
    found = layout.split(layout.rows(rollout, torch.full((5, 1, 1, 1), 9.0)))
    assert found.next_observations[0].tolist() == [[2, 3], [4, 5], [20, 21], [0, 0], [40, 41]]
    assert found.observations[0].tolist() == observations[:, 0, 0].tolist()
    assert found.terminated[0].tolist() == [0, 0, 0, 1, 0]  # truncation is no end
    assert found.rewards[0].tolist() == [0, 1, 2, 3, 4]
    assert found.actions[0].tolist() == [[9.0]] * 5


@pytest.mark.parametrize("capacity", [4, 7, 20])
def test_rows_that_were_saved_are_loaded_and_later_ones_go_on_behind_them(tmp_path, capacity):
    files = ReplayFiles(Replay(2, capacity, WIDTH), SEEDS)
    files.keep_in(Directory(tmp_path))
    filled(files.replay, files)
    state = files.state()
    again = ReplayFiles(Replay(2, capacity, WIDTH), SEEDS)
    again.restore(state)
    again.keep_in(Directory(tmp_path))
    for each in (files, again):
        assert each.replay.counts == [10, 10]
        size = min(capacity, 10)
        torch.testing.assert_close(each.replay.newest(1, size), -rows(10 - size, size), rtol=0, atol=0)
        everything = torch.arange(size)[None]
        assert torch.equal(each.replay.sample([0], everything), files.replay.sample([0], everything))
    again.make_room([0], 2)
    again.replay.add([0], rows(10, 2)[None])
    after = again.state()
    assert after["counts"] == [12, 10]
    assert (tmp_path / "replay" / "seed_4.bin").stat().st_size == HEADER.size + 12 * WIDTH * 4
    assert (tmp_path / "replay" / "seed_7.bin").stat().st_size == HEADER.size + 10 * WIDTH * 4


def test_without_a_directory_the_rows_are_part_of_the_state():
    files = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    filled(files.replay, files)
    again = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    again.restore(files.state())
    everything = torch.arange(7).expand(2, -1)
    assert torch.equal(again.replay.sample([0, 1], everything), files.replay.sample([0, 1], everything))


def cut(content: bytes) -> bytes:
    return content[:-4]


def longer(content: bytes) -> bytes:
    return content + b"\0" * 4


def foreign(content: bytes) -> bytes:
    return b"PK\3\4" + content[4:]


def other_width(content: bytes) -> bytes:
    return content[:12] + b"\x04" + content[13:]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (cut, "has 132 bytes, and the checkpoint continues 136"),
        (longer, "has 140 bytes"),
        (foreign, "does not hold transitions of 3 numbers each"),
        (other_width, "does not hold transitions of 3 numbers each"),
        (flipped, "is damaged"),
    ],
)
def test_a_file_that_is_not_that_of_the_checkpoint_is_answered_in_one_line_with_its_name(tmp_path, damage, what):
    files = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    files.keep_in(Directory(tmp_path))
    filled(files.replay, files)
    state = files.state()
    path = tmp_path / "replay" / "seed_7.bin"
    path.write_bytes(damage(path.read_bytes()))
    again = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    again.restore(state)
    with pytest.raises(FileError, match=what) as refused:
        again.keep_in(Directory(tmp_path))
    assert "\n" not in str(refused.value)
    assert "replay/seed_7.bin" in str(refused.value)


def test_a_number_of_rows_that_no_file_has_allocates_nothing(tmp_path):
    files = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    files.keep_in(Directory(tmp_path))
    filled(files.replay, files)
    state = files.state()
    again = ReplayFiles(Replay(2, 7, WIDTH), SEEDS)
    again.restore({**state, "counts": [10**15, 10]})
    with pytest.raises(FileError, match="the checkpoint continues"):
        again.keep_in(Directory(tmp_path))
