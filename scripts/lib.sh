# What scripts/attune, scripts/test and scripts/lint share: finding packages, building a preset. Sourced, never run.
# Everything here speaks on stderr, so that stdout is the program's alone.
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

# install GROUP…: apt-installs the packages of scripts/packages that are missing.
install() {
  command -v dpkg-query >/dev/null || return 0    # not Debian: CMake names what it does not find
  local group wanted=() missing=() as_root=()
  for group; do
    while read -r name; do wanted+=("$name"); done < <(awk -v g="$group" '$1 == g { print $2 }' "$root/scripts/packages")
  done
  while read -r name; do missing+=("$name"); done < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | awk '$1 == "installed" { print $2 }' | sort))
  [ ${#missing[@]} -gt 0 ] || return 0

  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600)
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
    { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; } ||
      die "these Debian packages are missing, and installing them needs root. Run this once, then try again:
  sudo apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  local log; log=$(mktemp)
  "${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
    { "${as_root[@]}" "${apt[@]}" update >"$log" 2>&1 &&    # the package lists were absent or old
      "${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; } ||
    { tail -n 15 "$log" >&2; rm -f "$log"; die "apt-get could not install ${missing[*]}. Is the network up, and this Debian 12?"; }
  rm -f "$log"
}

# Holds the build lock of PRESET until release_lock: two starters do not build the same tree at once.
take_lock() {
  mkdir -p "$root/build" 2>/dev/null && [ -w "$root/build" ] ||
    die "cannot write to $root/build, where attune is built. Make it writable, or copy the source tree to a place that is."
  exec 9>"$root/build/.$1.lock"
  flock -n 9 || { say "another build of $1 is under way; waiting for it"; flock 9; }
}
release_lock() { exec 9>&-; }

# build PRESET [-DKEY=VALUE…] TARGET…: configures when that is new or a setting differs, then builds.
build() {
  local preset=$1 settings=() targets=() cache="$root/build/$1/CMakeCache.txt" word
  shift
  for word; do case $word in -D*) settings+=("$word") ;; *) targets+=("$word") ;; esac; done
  command -v "${CXX:-g++}" >/dev/null || die "no C++ compiler: '${CXX:-g++}' is not on the PATH. Install g++ 12 or newer, or set CXX."

  # A tree that was moved or copied keeps paths of its old place: start over.
  if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then rm -rf "$root/build/$preset"; fi
  local configure=
  [ -f "$root/build/$preset/build.ninja" ] || configure=yes
  for word in "${settings[@]}"; do
    word=${word#-D}
    grep -qs "^${word%%=*}:[A-Z]*=${word#*=}\$" "$cache" || configure=yes
  done
  if [ -n "$configure" ]; then
    (cd "$root" && cmake --preset "$preset" "${settings[@]}") >"$root/build/$preset.log" 2>&1 ||
      { tail -n 25 "$root/build/$preset.log" >&2; die "CMake could not configure $preset (all of it: build/$preset.log)"; }
  fi
  ninja -C "$root/build/$preset" "${targets[@]}" >&2 || die "the build of $preset failed; the first error stands above"
}
