import { DURATION_TEXT, optionHelp } from './option-help.ts'
import { duration } from './values.ts'

/** Settings of uploads: joined with the others in `settingsSchema`. */
export const uploadSettings = {
  uploadIdle: duration(1000)
    .prefault('30s')
    .register(optionHelp, {
      group: 'Uploads',
      placeholder: 'duration',
      description: 'What a browser uploads ends after so long without a chunk; a later one resumes it',
      allowed: `${DURATION_TEXT}; at least 1s`,
    }),
} as const
