// The safe box's entry: no antd, small enough for a phone on a slow line.
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Box } from './box/box'
import './box/box.css'

createRoot(document.getElementById('root')!).render(<StrictMode><Box /></StrictMode>)
