"""Mistakes in policies for images: in how observations are read, and in the stacked convolutions."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

layers = partial(Mutant, "images", "pg_experiments/tensors/stacked_cnn.py")
option = partial(Mutant, "images", "pg_experiments/policy/convolutional.py")
grey = partial(Mutant, "images", "pg_experiments/env/grey.py")
blocks = partial(Mutant, "images", "pg_experiments/tensors/rollout.py")

OF_CNN = "tests/test_cnn.py::"
AS_TORCH = OF_CNN + "test_learner_k_of_a_stack_is_torchs_convolutions_and_so_is_its_gradient"
INITIAL = OF_CNN + "test_filters_are_orthogonal_as_cleanrls_and_a_seeds_do_not_depend_on_the_others"
BLOCKS = OF_CNN + "test_a_block_of_images_has_fewer_steps_and_all_steps_are_in_one_block"

SCALED = "tests/test_grey.py::test_screens_are_those_that_ale_py_scales_and_stacks_itself_to_one_grey_level"

MUTANTS = [
    layers("numbers are not shifted by the lower bound", "if self.low:", "if False:", AS_TORCH),
    layers("the axes of an image are exchanged", "x.permute(0, 1, 4, 2, 3)", "x.permute(0, 1, 4, 3, 2)", AS_TORCH),
    layers("convolutions have another activation", "torch.relu_(conv2d", "torch.tanh(conv2d", AS_TORCH),
    layers("the learners' filters are in another order", "zip(*rows, strict=True)]", "zip(*rows)][::-1]", AS_TORCH),
    layers(
        "a shared gradient does not reach the convolutions",
        "self.dense.features(self.convolved(observations))",
        "self.dense.features(self.convolved(observations).detach())",
        OF_CNN + "test_outputs_from_shared_features_are_the_outputs_and_have_their_gradient",
    ),
    layers(
        "all learners draw the first one's parameters",
        "generator = torch_stream(seed, purpose)",
        "generator = torch_stream(0, purpose)",
        INITIAL,
    ),
    layers("filters have gain 1", 'gain = nn.init.calculate_gain("relu")', "gain = 1.0", INITIAL),
    option("images with channels first are read as if they were last", "shape[0] < shape[2]", "False", AS_TORCH),
    option("numbers are scaled by the upper bound", "(low, high - low) if", "(low, high) if", AS_TORCH),
    grey("an episode begins with the screens of the one before", "small if fresh else", "", SCALED),
    grey("screens are stacked in the other order", "self._last[-1] = small", "self._last[0] = small", SCALED),
    grey("the next pixel counts whole", "np.minimum(pixel + 1, high)", "(pixel + 1)", SCALED),
    blocks("a block of images has as many steps as any", "FULL_NUMBERS // max(1, numbers)", "FULL_BLOCK", BLOCKS),
]
