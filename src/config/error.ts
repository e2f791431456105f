import { TapedeckError } from '../media/errors.ts'

/** Where a setting came from. `code`: from a program that embeds the server. */
export type ConfigSource = 'flag' | 'environment' | 'file' | 'code'

/** One setting that cannot be used. */
export interface ConfigIssue {
  /** As the user wrote it: `--record-format`, `TAPEDECK_RECORD_FORMAT`, `"record-format" in /etc/tapedeck.json`. */
  readonly option: string
  readonly source: ConfigSource
  readonly problem: string
}

/** Settings that cannot be used, all of them at once: which option, from where, what was given, what is allowed. */
export class ConfigError extends TapedeckError {
  readonly code = 'TD_CONFIG'
  readonly fault = 'caller'
  readonly issues: readonly ConfigIssue[]

  constructor(issues: readonly ConfigIssue[], options?: ErrorOptions) {
    super(issues.map((issue) => `${issue.option}: ${issue.problem}`).join('\n'), options)
    this.issues = issues
  }
}
