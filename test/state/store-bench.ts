import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openStateStore, type StateOptions } from '../../src/state/open-store.ts'
import type { StateStore } from '../../src/state/store.ts'
import { LogLines } from './entries.ts'

/** Where a state lies: what a process needs to know to open it. */
export type StatePlace = Omit<StateOptions, 'logger'>

/** A state of a test's own, opened as often as it likes. */
export class StoreBench {
  readonly place: StatePlace
  readonly log = new LogLines()
  readonly #open: StateStore[] = []

  constructor(place: StatePlace) {
    this.place = place
  }

  /** One more store on the same state, as another process would have it. */
  async open(): Promise<StateStore> {
    const store = await openStateStore({ ...this.place, logger: this.log })
    this.#open.push(store)
    return store
  }

  /** Runs `body`, the text of a module's body that has `store`, `entryOf` and `taskOf`, in a process of its own. Returns what it prints. */
  async elsewhere(body: string): Promise<string> {
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const script = `
      const { openStateStore } = await import(${url('../../src/state/open-store.ts')})
      const { entryOf, taskOf, eventOf, LogLines } = await import(${url('./entries.ts')})
      const store = await openStateStore({ ...${JSON.stringify(this.place)}, logger: new LogLines() })
      ${body}
      await store.close()`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`it ended with ${code}: ${said}`)
    return said.trim()
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((store) => store.close()))
  }
}
