import { type Command, Option } from 'commander';
import type { Setting } from './setting.ts';
import { settings } from './settings.ts';

/** Gives a command one flag per setting; the values are for `readConfig`. */
export function addSettings(command: Command): Command {
  for (const setting of Object.values<Setting>(settings)) {
    const fallback =
      setting.fallback === undefined || setting.fallback === '' ? '' : ` (default: ${setting.fallback})`;
    const help = `${setting.env}: ${setting.help}; ${setting.range}${fallback}`;
    command.addOption(new Option(`--${setting.flag} <${setting.placeholder}>`, help));
  }
  return command;
}
