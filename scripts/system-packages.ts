import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

/** How a program is recognised, and the Debian packages that bring it. */
type Need = { readonly present: () => boolean; readonly packages: readonly string[] }

/** What the tests drive tapedeck with. */
const NEEDS: readonly Need[] = [
  { present: () => onPath('ffmpeg') && onPath('ffprobe'), packages: ['ffmpeg'] },
  { present: () => onPath('chromium'), packages: ['chromium', 'fonts-dejavu-core'] },
  {
    present: () => onPath('nginx') && existsSync('/usr/lib/nginx/modules/ngx_rtmp_module.so'),
    packages: ['nginx', 'libnginx-mod-rtmp'],
  },
  {
    present: () => onPath('gst-launch-1.0') && hasElements('rtmp2sink', 'rtmp2src', 'flvmux', 'flvdemux', 'filesrc'),
    packages: [
      'gstreamer1.0-tools',
      'gstreamer1.0-plugins-base',
      'gstreamer1.0-plugins-good',
      'gstreamer1.0-plugins-bad',
    ],
  },
  { present: () => onPath('rtmpdump'), packages: ['rtmpdump'] },
  { present: () => existsSync('/usr/lib/python3/dist-packages/aiortc'), packages: ['python3-aiortc'] },
  {
    present: () => hasElements('webrtcbin', 'nicesrc', 'x265enc', 'openh264enc') && hasPythonBindings('GstWebRTC'),
    packages: ['gstreamer1.0-plugins-bad', 'gstreamer1.0-nice', 'python3-gi', 'gir1.2-gst-plugins-bad-1.0'],
  },
  { present: () => onPath('turnserver'), packages: ['coturn'] },
  { present: () => onPath('redis-server'), packages: ['redis-server'] },
  { present: () => onPath('gcc') && existsSync('/usr/include/stdio.h'), packages: ['gcc', 'libc6-dev'] },
  { present: () => onPath('mkfs.ext4'), packages: ['e2fsprogs'] },
  { present: () => onPath('fsfreeze') && onPath('mount'), packages: ['util-linux', 'mount'] },
  { present: () => onPath('openssl'), packages: ['openssl'] },
]

/** What it is measured beside, and the tests do without. */
const JANUS: Need = { present: () => onPath('janus'), packages: ['janus'] }

function onPath(command: string): boolean {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
  return path.split(':').some((directory) => existsSync(`${directory}/${command}`))
}

/** libnice counts its versions by itself. */
function hasElements(...names: readonly string[]): boolean {
  return names.every((name) => spawnSync('gst-inspect-1.0', ['--exists', '--atleast-version=0.1', name]).status === 0)
}

function hasPythonBindings(name: string): boolean {
  return spawnSync('/usr/bin/python3', ['-c', `import gi; gi.require_version('${name}', '1.0')`]).status === 0
}

/** Debian's word on which daemons a package may start when it is installed: none, as the tests start their own. */
const DAEMON_POLICY = '/usr/sbin/policy-rc.d'

function withoutDaemons<T>(install: () => T): T {
  if (existsSync(DAEMON_POLICY)) return install()
  writeFileSync(DAEMON_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(DAEMON_POLICY)
  }
}

/**
 * Makes sure that every program the tests need is here: installs what is missing as root on Debian, and otherwise prints
 * the line that does. `withJanus`: that, too.
 * @returns false when something is missing still
 */
export function ensureSystemPackages({ withJanus = false } = {}): boolean {
  const needs = withJanus ? [...NEEDS, JANUS] : NEEDS
  const missing = needs.filter((need) => !need.present()).flatMap((need) => need.packages)
  if (missing.length === 0) return true
  const line = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.error(`The tests need these system packages; install them with:\n  sudo ${line}`)
    return false
  }
  console.log(`Installing what the tests need: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const run = (command: string) =>
    spawnSync(command, { shell: true, stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0
  const install = () => run(line.replace('install', '-qq install'))
  if (!run('apt-get update -qq') || !withoutDaemons(install)) {
    console.error(`Could not install them. Try by hand:\n  ${line}`)
    return false
  }
  return needs.every((need) => need.present())
}
