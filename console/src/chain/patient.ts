// patient waits for a file of this program while the line is cut: the router takes one that does
// not come for one of an older version and reads the whole console anew, which without a line
// is the browser's own error page, with all that was on the screen gone.
export const patient = <M>(load: () => Promise<M>) => async (): Promise<M> => {
  for (;;) {
    try {
      return await load()
    } catch {
      if (await fetch('/', { method: 'HEAD', cache: 'no-store' }).then(() => true, () => false)) return load()
      await new Promise((go) => setTimeout(go, 1500))
    }
  }
}
