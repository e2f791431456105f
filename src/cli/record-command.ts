import { Command } from 'commander'
/** x */
export function recordCommand(_done: (exitCode: number) => void): Command {
  return new Command('record')
}
