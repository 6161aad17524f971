"""The words that command lines are made of, beside the keys and options of the configs."""

from __future__ import annotations

from tests.fuzzing.values import words

SIZES = words("""
    num_seeds policy.hidden policy.layers baseline.hidden baseline.layers baseline.steps env.window env.num_envs
    env.max_episodes env.max_steps env.max_episode_steps collect.episodes collect.points
    env.frame_skip env.noop_max env.max_frames
""")  # keys that are a size or a duration
SMALL = words("1 2 3 6")
ABSURD = ["9" * 19, "9" * 30, *words("1000000000000000 -5 0 null 1e15 nan true 2.5 [1] abc é")]

HYDRA_KEYS = words("""
    hydra.run.dir hydra.sweep.dir hydra.sweep.subdir hydra.job.name hydra.job.chdir hydra.output_subdir hydra.verbose
    hydra.mode hydra.searchpath hydra.job.env_set.A hydra.job.id hydra.job.num hydra.runtime.output_dir
    hydra.help.template hydra.job.config.override_dirname.kv_sep hydra.job.config.override_dirname.item_sep
    hydra.job.config.override_dirname.exclude_keys hydra.callbacks hydra.sweeper.max_batch_size hydra.job_logging
    hydra.sweeper.params.seed hydra.job hydra hydra.nope hydra.overrides hydra/launcher hydra/sweeper
    hydra/job_logging hydra/hydra_logging hydra/output hydra/help
""")
DIRECTORIES = [
    *words("outputs/new outputs/done outputs . notes.txt notes.txt/x é/ü outputs/$x 'a,b' 'a=b' outputs/' ${seed}"),
    *words("${nope} null 1 [a] multirun/sweep a/b/c/d/e/f -x ~ outputs/done/checkpoints multirun"),
    *("", "a b", "a" * 300, "é" * 200, "\x1b[31mred", "a\nb", "\udcff"),
]

FLAGS = [
    *words("--help -h -m --multirun --version --hydra-help --resolve --run -r --shell-completion --info --info=config"),
    *words("--info=plugins --info=searchpath --info=all --info=defaults --info=nope --cfg=job --cfg=hydra --cfg=all"),
    *words("--cfg=nope --cfg -c --package --package=env -p -policy.hidden=3 -- - --- -x --nope --nope=1 --hel --mult"),
    *words("-mm -é --config-name=nope --config-name --config-name=config -cn --config-path=nope -cp --config-dir=nope"),
    *words("--config-dir=mine --config-dir=broken --config-dir -cd --config-dir=notes.txt --experimental-rerun"),
    *words("-seed=1 --seed=1 --experimental-rerun=notes.txt --config-name=../notes --config-name= --config-dir="),
    *("--cfg=job --resolve", "-\x1b[31m", "--nope=\udcff", "--config-dir=a\nb"),
]  # a space separates two arguments

JUNK = [
    *words("= =1 a a=b=c ~ + ++ +=1 ~=1 @ a@b=c a@=b @b=c a:b@c=d ' \" \\ $ env env= seed seed==1 a.b.c.d.e=1 .=1"),
    *words("..=1 a..b=1 .seed=1 seed.=1 1=1 é=1 [1]=2 env[0]=1 env[id]=x +x=1 ++x.y=1 +env.x=1 ~seed ~env ~env.id"),
    *words("~env=cartpole +env=pong ~nope +seed=1 ++seed=1 +env/x=1 env/x=y env@x=pong +env@x=pong tuned@policy=x"),
    *words("+tuned@policy=pong_mlp experiment@x=pong env=[cartpole,pong] env={a:1} env=null env=1 env=../env/pong"),
    *words("env=/etc/passwd policy=mlp.yaml preview=yes preview= preview=True preview resume _target_=os.system"),
    *words("+_target_=os.system +env._target_=os.system env.name=atari env.name=nope optimizer.name=1 +defaults=[x]"),
    *words("defaults=[] hydra=1 hydra/=1 /=1 /env=pong +hydra.callbacks.x._target_=nope.Nope"),
    *("a b", "seed =1", "seed= 1", " seed=1", "seed=1 ", "\x1b[31m=1", "\udcff=1", "a\nb=1", "seed\n=1", "+x=\x1b[31m"),
    *("x" * 5000, "seed=" + "1" * 20000, "+" + "a." * 300 + "b=1"),
]

SWEPT = [
    *words("seed=0,1 baseline=none,value policy.dropout=0,0.5 seed=range(2) seed=choice(3,4) seed=1,1 seed=range(1,3)"),
    *words("optimizer=adam,sgd optimizer.schedule=linear,../../../../up optimizer.schedule=../../../../up seed=1,"),
    *words(
        "policy.hidden=2,abc env.id=a/b,c seed=1,nan seed=glob(*) seed=range(0,1000000000) env.id=é,ü baseline=glob(*)"
    ),
    *words("seed=interval(0,1) seed=shuffle(0,1) +x=1,2 ~seed,1 hydra.sweep.dir=a,b seed='1,2' seed=[1,2],[3] seed=,1"),
    *words("env.id=a=b,c seed=0,1,0 seed=range(0,2,0) seed=range(2,0) seed=sort(1,0)"),
    *("env.id='a\nb','c\x1b[31m'", "env.id=" + "a" * 300 + ",b"),
]  # what makes a sweep one

RUNS = words("outputs/done outputs/stopped outputs/seeds multirun/sweep multirun/sweep/0_baseline=none")
NO_RUNS = ["", *words("latest . outputs notes.txt mine broken nope outputs/don ~ / /proc/self /dev/null")]

CHECKPOINTS = words("outputs/done/checkpoints/update_00000002.pt outputs/seeds/checkpoints/update_00000002.pt")
COMPARE = {
    "by": ["", *words("baseline policy.hidden seed env.max_episodes nope baseline.hidden env")],
    "metric": ["", *words("mean_return policy_loss entropy seed nope mean_return,entropy wall_time_s ,")],
    "threshold": ["", "9" * 400, *words("20 0 -1 1e400 nan 1e308")],
    "reference": ["", *words("baseline=none baseline=value = baseline a=b policy.hidden=4 baseline=")],
    "sweep": words("multirun/sweep outputs , multirun/sweep,outputs multirun/sweep,"),
}
EVALUATE = {
    "episodes": ["9" * 400, *words("1 2 3 0 -1 1.5 nan 1000000000000000000")],
    "greedy": words("true false True null 1"),
    "seed": ["9" * 400, *words("0 1 -1 99 1e9 null")],
    "checkpoint": ["", *words("best last outputs outputs/done/checkpoints/mine.pt /dev/zero notes.txt"), *CHECKPOINTS],
    "video": words("false maybe 1"),
    "video.seconds": words("1 0 nan inf 3601 1e-300"),
    "run": words("outputs/done outputs/seeds multirun/sweep"),
}
