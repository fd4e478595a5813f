import { createContext, useContext } from 'react'
import type { Shade } from '@/theme'

/** ShadeContext is the theme that is worn, and how to change it. */
export const ShadeContext = createContext<{ shade: Shade; setShade: (s: Shade) => void }>({ shade: 'light', setShade: () => undefined })
export const useShade = () => useContext(ShadeContext)
