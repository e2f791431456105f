import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { z } from 'zod'
import { serverSettings } from '../../src/config.ts'
import { TapedeckServer } from '../../src/server.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-dashboard-'))
afterAll(() => rmSync(directory, { recursive: true }))

const dashboard = z
  .object({ panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })) })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../deploy/grafana/tapedeck.json'), 'utf8')))

it('every metric on the Grafana dashboard is one that the server has', async () => {
  const settings = serverSettings({
    rtmp: '127.0.0.1:0',
    http: '127.0.0.1:0',
    recordDir: join(directory, 'files'),
    dataDir: join(directory, 'data'),
  })
  const server = new TapedeckServer(settings)
  const { http } = await server.start()
  const page = await (await fetch(`http://127.0.0.1:${http?.port}/metrics`)).text()
  await server.stop()
  const known = new Set(Array.from(page.matchAll(/^# TYPE (\w+)/gm), ([, name]) => name))
  const asked = dashboard.panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) =>
      Array.from(expr.matchAll(/\b(?:tapedeck|nodejs|process)_\w+/g), ([name]) => ({ title, name })),
    ),
  )
  expect(asked.length).toBeGreaterThan(20)
  expect(asked.filter(({ name }) => !known.has(name.replace(/_bucket$/, '')))).toEqual([])
})
