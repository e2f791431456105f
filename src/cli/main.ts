#!/usr/bin/env node
// Nothing is imported before the version is known: an older Node would fail on the first built-in module it lacks.
const OLDEST_NODE = 24

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `tapedeck needs Node.js ${OLDEST_NODE} or later, and this is ${process.version}; see https://nodejs.org/en/download\n`,
  )
  process.exitCode = 1
} else {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error // whoever read it has gone (`| head`): that ends nothing, least of all a recording
    })
  }
  const { main } = await import('./program.ts')
  process.exitCode = await main(process.argv.slice(2))
}

export {}
