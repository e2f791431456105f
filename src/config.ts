export { ConfigError, type ConfigIssue, type ConfigSource } from './config/error.ts'
export { nearest } from './config/nearest.ts'
export {
  allOptions,
  environmentName,
  kebab,
  type Option,
  type ServerOptions,
  type SettingName,
  type Settings,
} from './config/options.ts'
export { auditPath, signingSecret, statePath } from './config/places.ts'
export { type ConfigInputs, readSettings, serverSettings } from './config/read.ts'
export { recorderSettings } from './config/recorder-settings.ts'
export { readTlsFiles, type TlsFiles } from './config/tls-files.ts'
export {
  duration,
  type Endpoint,
  formatDuration,
  formatEndpoint,
  parseDuration,
  parseEndpoint,
} from './config/values.ts'
