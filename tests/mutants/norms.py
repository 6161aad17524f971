"""Mistakes in normalised hidden layers."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

layers = partial(Mutant, "norms", "pg_experiments/tensors/normed_mlp.py")

OF_NORM = "tests/test_norm.py::"
AS_TORCH = OF_NORM + "test_layer_norm_of_each_learner_is_torchs_and_so_are_the_gradients_of_all_parameters"

MUTANTS = [
    layers("all layers have the first layer's gain", "self.gain[:, layer, None]", "self.gain[:, :1]", AS_TORCH),
    layers("the offset is left out", "self.offset[:, layer, None]", "0 * self.offset[:, layer, None]", AS_TORCH),
    layers("the normalisation has another ε", "EPSILON = 1e-5", "EPSILON = 1e-4", AS_TORCH),
    layers("dropout does not scale normalised units", "* self.network.scale", "* 1.0", AS_TORCH),
    layers("dropout drops the first layer's units everywhere", "noise[..., index, :]", "noise[..., 0, :]", AS_TORCH),
    layers(
        "some learners have the gains of the first ones",
        "(self.gain[learners], ",
        "(self.gain[: len(learners)], ",
        OF_NORM + "test_some_learners_normalise_with_gains_and_offsets_of_their_own",
    ),
    layers(
        "features are those before the activation",
        "*_, (_, features) = self._layers(observations, None)",
        "*_, (features, _) = self._layers(observations, None)",
        OF_NORM + "test_features_are_the_last_layers_units_and_sparse_observations_have_the_same_outputs",
    ),
]
