# shellcheck shell=bash disable=SC2154  # `dir` is the sourcing script's
# Parts of other Debian suites, extracted into a folder beside the system's own packages. Nothing is installed.
# For scripts to source. They set `dir`, where a part is a folder, and define for each PART
#   suites_of PART                prints where to look for it, best first
#   fetch_PART FOLDER SUITE       fills FOLDER; what it prints last says why it could not
#   version_of PART               prints what was fetched, from its versions.txt
# FOVEA_DEBIAN_MIRROR (say http://deb.debian.org/debian; security beside it) overrides apt's own.

first_of() {
  local path
  for path in "$@"; do
    if [ -e "$path" ]; then
      echo "$path"
      return
    fi
  done
}

is_complete() { [ -e "$dir/$1/.complete" ]; }

# The folder of a part's libraries, and the loader of its own C library: a program built against that, or one that takes
# libraries built against it, is started as `LOADER --inhibit-cache --library-path LIBRARIES PROGRAM`.
libraries_of() { first_of "$1"/usr/lib/*-linux-gnu; }
loader_of() { first_of "$1"/usr/lib/*-linux-gnu/ld-linux*.so.* "$1"/usr/lib64/ld-linux*.so.*; }

# This Debian's code name.
release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# mirror_of SUITE: the first URI under which apt's configuration has that suite; nothing if none.
mirror_of() {
  local sources=() path
  for path in /etc/apt/sources.list.d/*.sources; do
    if [ -r "$path" ]; then sources+=("$path"); fi
  done
  if [ ${#sources[@]} -gt 0 ]; then
    awk -v want="$1" '
      function close_stanza() {
        if (!done && enabled != "no" && types ~ /(^| )deb( |$)/ && index(suites " ", " " want " ")) {
          split(uris, uri, " "); print uri[1]; done = 1
        }
        types = suites = uris = enabled = key = ""
      }
      FNR == 1 { close_stanza() }
      /^#/ { next }
      /^[ \t]*$/ { close_stanza(); next }
      /^[^ \t]/ { key = tolower($1); sub(/^[^:]*:/, "") }
      { $1 = $1 }
      key == "types:" { types = types " " $0 }
      key == "suites:" { suites = suites " " $0 }
      key == "uris:" { uris = uris " " $0 }
      key == "enabled:" { enabled = tolower($0) }
      END { close_stanza() }' "${sources[@]}"
  fi
  for path in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -r "$path" ]; then
      awk -v want="$1" '$1 == "deb" { sub(/\[[^]]*\]/, ""); $1 = $1; if ($3 == want) print $2 }' "$path"
    fi
  done
}

# uri_of SUITE: where to ask for it. Suites of another release stand beside this release's own.
uri_of() {
  local base own
  base=${FOVEA_DEBIAN_MIRROR:-$(mirror_of "$(release)" | head -n 1)}
  case $base in *ubuntu*) base= ;; esac
  base=${base:-http://deb.debian.org/debian}
  case $1 in
    *-security)
      own=${FOVEA_DEBIAN_MIRROR:+$FOVEA_DEBIAN_MIRROR-security}
      own=${own:-$(mirror_of "$1" | head -n 1)}
      echo "${own:-${base%/}-security}" ;;
    *) echo "$base" ;;
  esac
}

# packages_of HOW SUITE FOLDER PACKAGE...: downloads packages of one suite into FOLDER/debs, by an apt
# with lists and a status of its own, which checks every signature and hash. HOW is `alone` for these
# packages only, or `whole` for all they need, down to the C library. They are this machine's, or those of `architecture`
# where that is set (say arm64).
packages_of() {
  local how=$1 suite=$2 folder=$3 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  local apt=$3/apt debs=$3/debs arch ask deb
  shift 3
  if [ ! -r "$keyring" ]; then
    echo "no $keyring to check packages against"
    return 1
  fi
  rm -rf "$apt" "$debs"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$debs" || return
  : >"$apt/status"
  arch=${architecture:-$(dpkg --print-architecture)} || return
  echo "deb [arch=$arch signed-by=$keyring] $(uri_of "$suite") $suite main" >"$apt/sources.list"
  ask=(apt-get -qq -y -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=-
    -o APT::Architecture="$arch" -o APT::Architectures::="$arch"
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Update::Error-Mode=any
    -o APT::Install-Recommends=0 -o Acquire::Retries=3 -o Acquire::http::Timeout=30
    -o Acquire::Languages=none
    -o Acquire::Check-Valid-Until=false)  # a frozen mirror serves as well; signatures are checked
  "${ask[@]}" update || return
  case $how in
    alone) (cd "$debs" && "${ask[@]}" download "$@") ;;
    whole) "${ask[@]}" install --download-only "$@" && mv "$apt"/cache/archives/*.deb "$debs" ;;
  esac || return
  for deb in "$debs"/*.deb; do
    # shellcheck disable=SC2016  # a format of dpkg-deb, not a shell variable
    dpkg-deb -W --showformat "$suite "'${Package} ${Version}\n' "$deb" || return
  done >"$folder/versions.txt"
}

# unpack FOLDER [PATTERN...]: extracts what packages_of left there (or only what matches), and
# turns a bare library name in an ICD manifest, which would load the system's driver, into a path
# relative to the manifest.
unpack() {
  local folder=$1 deb manifest library
  shift
  [ $# -eq 0 ] || set -- --wildcards "$@"
  for deb in "$folder"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder" "$@" || return
  done
  rm -rf "$folder/apt" "$folder/debs"
  for manifest in "$folder"/usr/share/vulkan/icd.d/*.json; do
    [ -e "$manifest" ] || continue
    library=$(sed -n 's/.*"library_path": *"\([^"]*\)".*/\1/p' "$manifest")
    library=$(first_of "$folder"/usr/lib/*-linux-gnu/"${library##*/}")
    library=${library#"$folder/usr/"}
    sed -i "s#\(\"library_path\": *\)\"[^\"]*\"#\1\"../../../$library\"#" "$manifest" || return
  done
}

# fetch PART: fetches it whole or not at all; says what was fetched or why nothing was.
fetch() {
  local part=$1 suite why='' log=$dir/$1.log work=$dir/.fetching-$1
  for suite in $(suites_of "$part"); do
    rm -rf "$work" "${dir:?}/$part"
    mkdir -p "$work"
    if "fetch_$part" "$work" "$suite" >"$log" 2>&1; then
      touch "$work/.complete"
      mv "$work" "$dir/$part"
      cat "$dir"/*/versions.txt >"$dir/versions.txt"
      echo "present: $part ($suite $(version_of "$part")${why:+; $why})"
      return
    fi
    rm -rf "$work"
    why+="${why:+; }$suite: $( (grep -m 1 '^E: ' "$log" || tail -n 1 "$log") | sed 's/^E: //')"
  done
  echo "absent: $part ($why)"
  return 1
}

# fetch_missing PART...: those that are not there. Fails when one could not be had.
fetch_missing() {
  local part failed=''
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  exec 9>"$dir/.lock"
  flock 9  # several may ask for the same part at once
  for part in "$@"; do
    is_complete "$part" || fetch "$part" || failed=yes
  done
  [ -z "$failed" ]
}
