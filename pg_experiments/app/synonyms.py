"""Other names of the project's keys and options, as other libraries and texts have them.

They serve suggestions only: no command accepts them in place of a key.
"""

from __future__ import annotations

# key of a run → its other names, in lower case with `_`. Two keys stand for one name that sets both.
# A name that stands at several keys means the first of them that the composed config has.
_KEYS = {
    "optimizer.learning_rate": "learning_rate lr alpha eta step_size lrate pi_lr policy_lr actor_lr lr_actor lr_pi",
    "optimizer.weight_decay": "weight_decay wd l2 l2_reg l2_regularization",
    "optimizer.max_grad_norm": "max_grad_norm grad_clip clip_grad clip_grad_norm gradient_clip gradient_clipping "
    "max_gradient_norm grad_norm gradient_norm grad_norm_clip",
    "optimizer.epsilon": "eps adam_eps adam_epsilon rms_prop_eps",
    "optimizer.beta1 optimizer.beta2": "betas",
    "optimizer.schedule": "lr_schedule lr_scheduler lr_decay scheduler anneal_lr anneal learning_rate_schedule",
    "algorithm.discount": "gamma discount discount_factor discount_rate",
    "algorithm.entropy_bonus": "ent_coef entropy_coef entropy_coeff entropy_coefficient entropy_cost entropy_weight "
    "entropy_beta entropy",
    "algorithm.clip_range": "clip_range clip_coef clip_ratio clip_eps clip_epsilon clip_param eps_clip clipping clip",
    "algorithm.epochs": "epochs n_epochs num_epochs update_epochs ppo_epochs k_epochs train_iters",
    "algorithm.num_minibatches": "num_minibatches n_minibatches num_mini_batch nminibatches minibatches "
    "minibatch_size mini_batch_size",
    "algorithm.target_kl": "target_kl kl_target max_kl kl_coef",
    "algorithm.workers": "workers num_workers n_workers",
    "returns.gae_lambda": "gae_lambda lambda lam lambd lmbda gae_lam td_lambda lambda_gae",
    "returns.n": "n_step nstep",
    "baseline.loss_coefficient": "vf_coef vf_coeff value_coef value_coeff value_loss_coef value_loss_weight "
    "critic_coef vloss_coef",
    "baseline.clip_range": "clip_range_vf vf_clip vf_clip_param clip_vloss value_clip clip_value_loss",
    "baseline.learning_rate": "vf_lr critic_lr value_lr lr_critic lr_vf lr_value critic_learning_rate",
    "baseline.steps": "train_v_iters vf_iters value_iters",
    "policy.hidden": "hidden hidden_dim hidden_size hidden_units n_hidden num_hidden num_units units width layer_size",
    "policy.layers": "layers n_layers num_layers hidden_layers n_hidden_layers num_hidden_layers depth",
    "policy.hidden policy.layers": "hidden_sizes hidden_dims net_arch layer_sizes",
    "policy.dropout": "dropout dropout_rate dropout_prob dropout_p p_dropout drop drop_rate drop_prob",
    "policy.activation": "activation activation_fn activation_function nonlinearity act act_fn",
    "policy.initialisation": "initialisation initialization init weight_init ortho_init init_method",
    "collect.num_envs": "num_envs n_envs num_env nenvs n_env envs num_actors n_actors workers num_workers n_workers",
    "env.num_envs": "num_envs n_envs num_env nenvs n_env envs num_actors n_actors num_workers n_workers",
    "collect.episodes": "num_envs n_envs num_env nenvs n_env envs batch_size batch episodes_per_batch "
    "episodes_per_update",
    "collect.points": "batch_size batch points_per_batch points_per_update",
    "collect.num_envs collect.num_steps": "batch_size batch timesteps_per_batch steps_per_epoch rollout_size",
    "collect.num_steps": "num_steps n_steps nsteps rollout_length rollout_steps unroll_length fragment_length t_max "
    "horizon steps_per_update",
    "env.max_steps": "max_steps total_timesteps total_steps timesteps num_timesteps n_timesteps max_timesteps "
    "num_env_steps steps total_env_steps max_train_steps",
    "env.max_episodes": "max_episodes num_episodes n_episodes total_episodes",
    "env.max_episode_steps": "max_episode_steps max_episode_length max_ep_len episode_length time_limit",
    "env.max_frames": "max_episode_steps max_episode_length max_ep_len episode_length time_limit",
    "env.threshold": "reward_threshold solved solved_at solved_reward target_reward target_return",
    "env.repeat_action_probability": "sticky sticky_actions",
    "env.frame_skip": "frame_skip frameskip action_repeat",
    "env.game": "game",
    "env": "env_id env_name environment environment_id environment_name gym_id gym_env task game",
    "algorithm": "algo alg agent method algorithm_name",
    "optimizer": "opt optim optimiser",
    "policy": "network net model actor policy_network pi",
    "baseline": "critic value_function vf value_network",
    "normalization": "normalisation normalize normalise norm_adv normalize_advantage normalize_advantages norm_returns "
    "normalize_returns standardize whiten vec_normalize",
    "normalization.observations": "norm_obs normalize_obs normalize_observation normalize_observations obs_norm",
    "normalization.observation_clip": "clip_obs obs_clip",
    "normalization.rewards": "norm_reward normalize_reward normalize_rewards reward_scaling reward_norm",
    "normalization.reward_clip": "clip_reward clip_rewards reward_clipping",
    "num_seeds": "seeds n_seeds nseeds num_seed num_learners n_learners repeats num_runs n_runs",
    "seed": "random_seed rng_seed",
    "device": "cuda gpu use_cuda use_gpu torch_device accelerator",
    "checkpoint.every_updates": "save_freq save_frequency save_every save_interval checkpoint_freq checkpoint_every "
    "checkpoint_interval",
    "tracking.plain_every_seconds": "log_interval log_every log_freq",
    "hydra.run.dir": "log_dir logdir output_dir out_dir save_dir run_dir directory",
    "resume": "resume_from load_run continue continue_from restore",
    "preview": "dry_run dryrun",
}

# name → the keys that it may mean, each alone or two that are set together
KEYS: dict[str, list[tuple[str, ...]]] = {}
for _keys, _names in _KEYS.items():
    for _name in _names.split():
        KEYS.setdefault(_name, []).append(tuple(_keys.split()))

# group → option → its other names
_OPTIONS = {
    "algorithm": {
        "reinforce": "vpg pg policy_gradient vanilla_policy_gradient vanilla_pg mcpg simple_pg",
        "a2c": "ac actor_critic advantage_actor_critic",
        "ppo": "ppo2 ppo_clip proximal_policy_optimization",
    },
    "baseline": {
        "value": "critic vf v value_function state_value value_network learned actor_critic true",
        "none": "no off false zero",
        "mean": "average batch_mean constant",
        "moving_average": "ema running_mean running_average exponential_moving_average",
        "leave_one_out": "loo rloo",
        "shared_value": "shared shared_critic",
    },
    "optimizer": {"sgd": "momentum gradient_descent", "rmsprop": "rms_prop rmsproptf"},
    "policy": {"mlp": "mlppolicy nn network perceptron dense fc", "linear": "softmax logistic"},
    "returns": {
        "reward_to_go": "rtg togo rewards_to_go monte_carlo mc discounted",
        "trajectory": "full total episode whole",
        "gae": "lambda td_lambda gae_lambda",
        "td": "td0 td_0 one_step bootstrap",
        "n_step": "nstep n_steps",
    },
    "normalization": {
        "observations": "obs observation norm_obs",
        "running": "vec_normalize vecnormalize all",
        "returns": "return true standardize whiten",
        "advantages": "advantage adv norm_adv",
        "none": "no off false",
    },
    "collect": {
        "steps": "fragments rollout rollouts timesteps num_steps",
        "episodes": "trajectories trajectory episode",
    },
}

OPTIONS: dict[str, dict[str, str]] = {
    group: {name: option for option, names in options.items() for name in names.split()}
    for group, options in _OPTIONS.items()
}


def normalised(name: str) -> str:
    """A name as it is in the tables: `Learning-Rate` → `learning_rate`, `use_gae` → `gae`, `optim.Adam` → `adam`."""
    return name.rpartition(".")[2].lower().replace("-", "_").strip("+~ ").removeprefix("use_")
