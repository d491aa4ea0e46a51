#!/bin/bash
# Runs inside the folder that set_up.sh made: Kdenlive imports an OTIO file by its own menu, saves the project, and melt renders it.
#   kdenlive.sh EDIT.otio PROJECT.kdenlive RENDER.mkv        (absolute paths; screenshots are left beside PROJECT)
set -u
edit=$1 project=$2 render=$3
folder=$(dirname "$project")
export HOME=$folder/home XDG_RUNTIME_DIR=$folder/run LANG=C.UTF-8
export QT_QPA_PLATFORM=xcb SDL_AUDIODRIVER=dummy LIBGL_ALWAYS_SOFTWARE=1
rm -rf "$HOME"
mkdir -p "$HOME/Videos" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"

fail() {
    import -window root "$folder/screen.png"
    echo "$1; see $folder/screen.png and $folder/kdenlive.log" >&2
    wmctrl -l >&2
    exit 1
}

wait_for() { # SECONDS COMMAND...: until the command succeeds
    local tries=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 0.2
    done
}

window() { wmctrl -l | grep -q -- "$1"; }
no_window() { ! window "$1"; }
bus_name() { dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep -o 'org\.kde\.kdenlive-[0-9]*'; }
act() { dbus-send --session --dest="$(bus_name)" --type=method_call /kdenlive/MainWindow_1 org.kde.KMainWindow.activateAction "string:$1"; }

# Gives a path to a file dialog. The first Return may only close the list of completions.
answer() { # TITLE PATH
    wait_for 20 window "$1" || fail "Kdenlive shows no window '$1'"
    sleep 0.5
    xdotool key ctrl+a
    xdotool type --delay 20 "$2"
    for _ in 1 2 3 4; do
        sleep 0.7
        no_window "$1" && return
        xdotool key Return
    done
    wait_for 5 no_window "$1" || fail "Kdenlive does not take $2 in '$1'"
}

Xvfb -displayfd 5 -screen 0 1600x1000x24 -nolisten tcp 5>"$folder/display" >"$folder/xvfb.log" 2>&1 &
wait_for 20 test -s "$folder/display" || { echo "Xvfb gives no display; see $folder/xvfb.log" >&2; exit 1; }
DISPLAY=:$(cat "$folder/display")
export DISPLAY
openbox >/dev/null 2>&1 &
kdenlive --no-welcome >"$folder/kdenlive.log" 2>&1 &

wait_for 60 bus_name || fail "Kdenlive does not start"
# Without a project it first complains of a file without a name, then of packages that are only recommended.
for _ in $(seq 100); do
    for complaint in "Error — Kdenlive" "Welcome to Kdenlive"; do
        wmctrl -a "$complaint" && sleep 0.3 && xdotool key Return
    done
    window "Untitled" && break
    sleep 0.4
done
window "Untitled" || fail "Kdenlive shows no project"
sleep 2
act import_project
answer "OpenTimelineIO Import" "$edit"
sleep "${IMPORT_SECONDS:-3}" # clips are loaded one by one, and nothing says when the last is there
act file_save_as
answer "Save As" "$project"
wait_for 10 test -s "$project" || fail "Kdenlive has not saved $project"
sleep 0.5
melt -silent "$project" -consumer "avformat:$render" vcodec=ffv1 an=1 pix_fmt=yuv420p real_time=-1 2>"$folder/melt.log"
test -s "$render" || fail "melt has rendered nothing"
