#!/usr/bin/env bash
# Everything that is to be measured on a GPU, in one command, on a machine that has one:
#
#     bash benches/gpu/run.sh [FOLDER]
#
# FOLDER (default `gpu-results`, must not exist) gets a file per part, and all of it is printed. Needs the builds that the README
# tells (it makes them if the toolkit is there), and python3 with PyTorch for CUDA: PYTHON says which one. About an hour. Parts can
# be left out: `PARTS="tests table" bash benches/gpu/run.sh`; the parts are tests, examples, table, profile.
# DEVICE=cpu FEATURES= ROUNDS=3 tries the script itself on a machine without a GPU; its tables then say nothing about one.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-gpu-results} device=${DEVICE:-cuda:0} python=${PYTHON:-python3} parts=${PARTS:-tests examples table profile}
features=${FEATURES-cuda,cudnn} rounds=${ROUNDS:-7} batch=${BATCH:-256}
models=${MODELS:-mlp vgg resnet18 ltb_conv_3.search ltb_conv_3.weights ltb_conv_3.shared ltb_conv_3.derived ltb_conv_9.search ltb_mlp_3.search ltb_mlp_15.search ltb_mlp_15.derived dmtg_celeba9_2.search}
with=(); [ -n "$features" ] && with=(--features "$features")
mkdir "$out"
wants() { case " $parts " in *" $1 "*) true ;; *) false ;; esac; }
title() { printf '\n== %s\n\n' "$1"; }

{
  title "machine"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU that nvidia-smi knows"
  "$python" -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())'
} | tee "$out/machine.txt"

if wants tests; then
  title "every op, optimiser and step against the CPU" | tee "$out/tests.txt"
  if [ -n "$features" ]; then
    cargo test --release "${with[@]}" --test cuda -- --nocapture 2>&1 | tee -a "$out/tests.txt"
  else
    echo "left out: no CUDA in this build" | tee -a "$out/tests.txt"
  fi
fi

if wants examples; then
  title "Learning to Branch: search, derive, retrain, on the device and on the CPU" | tee "$out/examples.txt"
  cargo build --release "${with[@]}"
  mtlc=target/release/mtlc
  for example in ${EXAMPLES:-digits synthetic_a census}; do
    for seed in ${SEEDS:-0 1 2}; do
      for where in "$device" cpu; do
        name=$example-$seed-${where%%:*}
        [ -e "$out/$name" ] && continue
        "$mtlc" run "examples/$example.mtl" --seed "$seed" --device "$where" -o "$out/$name" --quiet
      done
    done
    # Stopped after a moment and gone on with: the same bytes as the run that was not.
    "$mtlc" run "examples/$example.mtl" --seed 0 --device "$device" -o "$out/$example-stopped" --time 6s --quiet || true
    for _ in 1 2 3 4 5 6; do "$mtlc" run --resume "$out/$example-stopped" --time 30s --quiet || true; done
    "$mtlc" run --resume "$out/$example-stopped" --quiet || true
  done 2>&1 | tee -a "$out/examples.txt"
  "$python" benches/gpu/examples.py "$out" "${device%%:*}" | tee -a "$out/examples.txt"
fi

if wants table; then
  program=$(cargo bench "${with[@]}" --bench train --no-run --message-format json 2>/dev/null |
    "$python" -c 'import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if m.get("executable") and m["target"]["name"] == "train": print(m["executable"])' | tail -n 1)
  precisions="tf32 bf16 f32"; [ "$device" = cpu ] && precisions=f32
  for precision in $precisions; do
    for peer in eager compile; do
      title "a training step, batch $batch, $precision, PyTorch $peer"
      # A model whose peer does not compile leaves a line, and the others go on.
      for model in $models; do
        "$python" benches/peers/compare.py "$model" --program "$program" --device "$device" --batch "$batch" --precision "$precision" \
          --peer "$peer" --rounds "$rounds" --markdown || echo "| $model | failed |"
      done | awk '!seen[$0]++ || !/^\| model|^\|---/'
    done
  done | tee "$out/table.txt"
fi

if wants profile; then
  title "where the time of a step goes" | tee "$out/profile.txt"
  cargo build --release "${with[@]}"
  for example in digits synthetic_a; do
    target/release/mtlc profile "examples/$example.mtl" --device "$device" || echo "failed: $example"
  done 2>&1 | tee -a "$out/profile.txt"
fi
title "all of it is in $out"
