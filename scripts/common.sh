# Shared by the scripts beside it, which source it: where things are, progress lines, set-up.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# rustup's directory may not be in the PATH of a fresh login or of a CI job.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
# Either variable would replace the flags in .cargo/config.toml, without which the simulator refuses to compile.
unset RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_ENCODED_RUSTDOCFLAGS
# shellcheck disable=SC2034
target_dir="${CARGO_TARGET_DIR:-target}"
skipped=()

step() { printf '\n== %s\n' "$*"; }

# Says in one line what does not run and how to get it.
skip() {
    printf 'skipped: %s\n' "$*"
    skipped+=("$*")
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null; }

minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

# What somebody without root's rights has to type; once it is known what is missing, no more than that.
install_line="sudo apt-get install -y $(awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = " " }' scripts/packages.txt)"

missing_packages() {
    local package
    while read -r package _; do
        case $package in '' | '#'*) continue ;; esac
        # A package counts when it is configured, not when its remains are.
        [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || printf '%s\n' "$package"
    done <scripts/packages.txt
}

# Installs what is missing of scripts/packages.txt, or says how to; never asks and never fails.
install_packages() {
    if ! has dpkg-query; then
        echo "not a Debian or Ubuntu system: install what scripts/packages.txt lists by your own means"
        return
    fi
    local missing as_root=()
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    install_line="sudo apt-get install -y ${missing[*]}"
    if ((EUID)); then
        if ! sudo -n true 2>/dev/null; then
            printf 'missing system packages; to install them:\n    %s\n' "$install_line"
            return
        fi
        as_root=(sudo -n)
    fi
    step "installing ${missing[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
    # The lists are fetched only if those at hand are absent or too old to serve.
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null 2>&1 ||
        { "${apt[@]}" update </dev/null && "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null; } ||
        printf 'could not install them; to try again:\n    %s\n' "$install_line"
}

need_rust() {
    local get_rust="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
    has cargo || die "needs Rust; to install it: $get_rust"
    has cc || die "needs a C compiler and linker; to install them: $install_line"
}

can_compile_cpp() { has c++ || has g++; }

can_link_xcb() { echo 'int main(void) { return 0; }' | cc -x c - -o /dev/null -lxcb -lxcb-shm -lxcb-randr 2>/dev/null; }
