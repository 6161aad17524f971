"""Mistakes in recurrent policies: in the units, in their gradient, and in where a state goes."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

units = partial(Mutant, "recurrence", "pg_experiments/tensors/unroll.py")
compiled = partial(Mutant, "recurrence", "pg_experiments/tensors/compiled_unroll.py")
step = partial(Mutant, "recurrence", "pg_experiments/tensors/compiled_recurrent.py")
play = partial(Mutant, "recurrence", "pg_experiments/collect/compiled_play.py")
compiled_steps = partial(Mutant, "recurrence", "pg_experiments/collect/compiled_steps.py")
acting = partial(Mutant, "recurrence", "pg_experiments/collect/acting.py")
steps = partial(Mutant, "recurrence", "pg_experiments/collect/steps.py")
batches = partial(Mutant, "recurrence", "pg_experiments/algorithm/minibatches.py")

OF_GRU = "tests/test_gru.py::"
AS_TORCH = OF_GRU + "test_learner_k_of_a_stack_is_torchs_gru_and_so_are_its_gradients_through_time_and_ends"
AS_SLOW = OF_GRU + "test_the_compiled_loops_compute_what_torchs_operations_do"
AS_ACTED = OF_GRU + "test_learning_computes_what_acted_across_ends_and_batches"
AT_CUTS = OF_GRU + "test_the_values_where_the_data_is_cut_are_those_of_the_state_with_which_the_episode_would_go_on"
RESTORED = OF_GRU + "test_a_restored_run_continues_with_the_same_bits[gymnasium]"
PLAYED = "tests/test_compiled_steps.py::test_a_fragment_is_the_one_that_is_played_through_gymnasium[recurrent-2]"

MUTANTS = [
    units(
        "the gradient goes through the beginning of an episode",
        "later = later.masked_fill(fresh[:, t, :, None], 0.0)",
        "pass",
        AS_TORCH,
    ),
    units("the reset gate's gradient has the state's sign", "r * (1 - r), out", "r * (r - 1), out", AS_TORCH),
    compiled(
        "the state is not 0 where an episode begins",
        "h[e, s] = np.float32(0.0) if is_new else last",
        "h[e, s] = last",
        AS_SLOW,
    ),
    compiled(
        "the update gate keeps what it should replace", "n + gates[r, t, e, S + s]", "n + gates[r, t, e, s]", AS_SLOW
    ),
    acting(
        "the state is kept after an episode", "self.after.masked_fill(over[..., None], 0.0)", "self.after", AS_ACTED
    ),
    steps(
        "a fragment begins without the state of the one before",
        "self.states[learners] = network.states.detach()",
        "pass",
        PLAYED,
    ),
    step(
        "the reset gate has no effect while acting",
        "candidates[j] += gates[j] * of_h[2 * S + j]",
        "candidates[j] += of_h[2 * S + j]",
        PLAYED,
    ),
    play(
        "the state is kept after an episode in the compiled loop",
        "final_memories[r, e, g, m], memories[r, e, m] = memories[r, e, m], 0.0",
        "final_memories[r, e, g, m] = memories[r, e, m]",
        PLAYED,
    ),
    play(
        "the state before a cut is not kept in the compiled loop",
        "final_memories[r, e, episodes[r, e], m] = memories[r, e, m]",
        "pass",
        AT_CUTS,
    ),
    compiled_steps(
        "a compiled fragment begins without the state of the one before", '"states", "memories",', '"states",', PLAYED
    ),
    steps("the state is not restored", 'self.states.copy_(state["states"])', "pass", RESTORED),
    batches(
        "mini-batches of a recurrent policy have single steps",
        "if flat.columns is None:\n                yield _chosen(flat, places)",
        "if True:\n                yield _chosen(flat, places)",
        OF_GRU + "test_mini_batches_have_whole_columns_and_every_column_once",
    ),
]
