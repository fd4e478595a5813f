// The strip on every page while a tour is on, in the console at its foot, in the box at its head: whose turn it is, what to do, and
// the one click that leads there. It covers nothing, and takes no focus by itself.
import { type ReactNode, useEffect, useRef } from 'react'
import { acted, nextStep, putAway, stepDone, type Step, stepsOf, useTour } from './steps'
import './tour.css'

export interface StripProps {
  t: (key: string, holes?: Record<string, string | number>) => string
  there: (route: string) => boolean
  role?: string // of who acts on this page now
  accounts: (role: string) => string[] // of this browser
  path: string // with its query
  height: number // of the chain, as far as this page knows
  go: (path: string) => void
  sit: (step: Step) => Promise<void> // takes the step's seat, in one click
  pathOf: (key: string) => string
  head?: boolean // of the page, not its foot: the box has its buttons there
  busy?: boolean
  note?: ReactNode // what went wrong with a seat
}

export function Strip(p: StripProps) {
  const { t } = p
  const tour = useTour()
  const steps = tour ? stepsOf(tour.story, p.there) : []
  const step = tour && steps[tour.at]
  const checked = useRef({ at: -1, height: 0 })
  useEffect(() => {
    if (!tour || !step || tour.done) return
    if (step.visit) {
      if (step.visit.test(p.path)) stepDone()
      return
    }
    if (step.held) {
      if (p.accounts(step.role).length > 0) stepDone()
      return
    }
    if (checked.current.at !== tour.at) checked.current = { at: tour.at, height: tour.since }
    const from = checked.current.height
    if (p.height <= from) return
    let live = true
    void acted(step.verb!, p.accounts(step.role), from).then((found) => {
      if (!live) return
      checked.current = { at: tour.at, height: p.height }
      if (found) stepDone(found.subject)
    }, () => undefined) // the server is gone for the moment: asked again with the next block
    return () => { live = false }
  }, [tour, step, p.height, p.path, p.role])
  if (!tour || tour.away) return null
  if (!step) {
    return (
      <section className={p.head ? 'tour head' : 'tour'} aria-label={t('label')}>
        <p><strong>{t(`${tour.story}.end`)}</strong> {t(`${tour.story}.after`)}</p>
        <p className="tour-acts"><button type="button" className="first" onClick={() => { putAway(true); p.go('/tour') }}>{t('all')}</button></p>
      </section>
    )
  }
  const target = step.path === '$subject' ? (tour.subject ? `${p.pathOf(tour.subject)}?tab=history` : '/inbox?box=done') : step.path
  const seated = p.role === step.role
  const here = p.path === target || p.path.split('?')[0] === target || step.near?.test(p.path)
  const next = () => nextStep(p.height)
  return (
    <section className={p.head ? 'tour head' : 'tour'} aria-label={t('label')} data-step={`${tour.story}.${step.id}`} data-done={tour.done || undefined}>
      <p className="tour-words" aria-live="polite">
        <strong>{t('at', { n: tour.at + 1, of: steps.length })} · {t(`${tour.story}.${step.id}.title`)}</strong>{' '}
        {tour.done ? <span className="tour-done">✓ {t(`${tour.story}.${step.id}.done`)}</span> : t(`${tour.story}.${step.id}.text`)}
        {p.note}
      </p>
      <p className="tour-acts">
        {tour.done ? <button type="button" className="first" onClick={next} data-testid="tour-next">{t('next')}</button>
          : !seated ? <button type="button" className="first" disabled={p.busy} onClick={() => void p.sit(step).then(() => p.go(target), () => undefined)} data-testid="tour-sit">{t(`sit.${step.role}`)}</button>
            : !here && <button type="button" className="first" onClick={() => p.go(target)} data-testid="tour-go">{t('go')}</button>}
        {!tour.done && <button type="button" onClick={next} data-testid="tour-skip">{t('skip')}</button>}
        <button type="button" onClick={() => putAway(true)} data-testid="tour-away">{t('away')}</button>
      </p>
    </section>
  )
}
