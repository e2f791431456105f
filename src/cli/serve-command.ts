import { Command } from 'commander'
import { addSettings } from './settings-flags.ts'
/** x */
export function serveCommand(_done: (exitCode: number) => void): Command {
  const c = new Command('serve')
  addSettings(c)
  return c
}
