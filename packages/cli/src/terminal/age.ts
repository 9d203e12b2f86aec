const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
] as const;

/** How long ago something was, in its largest unit: `3d ago`, `12s ago`; a dash when it never was. */
export function formatAge(date: Date | undefined, nowMs: number): string {
  if (date === undefined || Number.isNaN(date.getTime())) return '-';
  const seconds = Math.max(0, Math.round((nowMs - date.getTime()) / 1000));
  const unit = units.find(([, size]) => seconds >= size);
  return unit === undefined ? `${seconds}s ago` : `${Math.floor(seconds / unit[1])}${unit[0]} ago`;
}
