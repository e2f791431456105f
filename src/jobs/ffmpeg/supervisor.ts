/**
 * Runs a program so that it never outlives us. Standard input is the lifeline: nothing is ever written to it, and when it ends,
 * because we died in whatever way, the whole process group is killed at once. The program itself reads nothing.
 *
 * The shell leads a process group of its own, so a signal to the group reaches program and supervisor, and its id cannot be
 * taken by another process while any of the group lives. SIGTERM is the program's to act on; the supervisor waits for it.
 */
const SCRIPT = `
trap : TERM INT HUP
exec 3<&0
nice -n 10 "$@" </dev/null 3<&- &
program=$!
( trap '' TERM INT HUP; exec >/dev/null 2>&1; while read -r _; do :; done <&3; kill -KILL 0 ) &
watch=$!
exec 3<&- </dev/null
while :; do
  wait "$program"; code=$?
  kill -0 "$program" 2>/dev/null || break
done
kill -KILL "$watch"
exit "$code"
`

/** The command line that runs `command` under the supervisor, at a lower priority. To be spawned `detached`, stdin a pipe. */
export function supervised(command: string, args: readonly string[]): { file: string; args: string[] } {
  return { file: '/bin/sh', args: ['-c', SCRIPT, 'tapedeck-job', command, ...args] }
}

/** Exit codes of a shell that could not start what it was told to: found but not executable, not found (POSIX §2.8.2). */
export const NOT_STARTED: readonly number[] = [126, 127]
/** Added by a shell to the number of the signal that ended a program. */
export const SIGNAL_CODES = 128
