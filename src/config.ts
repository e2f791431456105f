export { ConfigError, type ConfigIssue } from './config/error.ts'
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
export { readSettings, serverSettings } from './config/read.ts'
export { recorderSettings } from './config/recorder-settings.ts'
export { readTlsFiles } from './config/tls-files.ts'
export { type Endpoint, formatDuration, formatEndpoint, parseDuration } from './config/values.ts'
