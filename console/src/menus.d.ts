declare module 'virtual:menus/*' {
  const words: Record<string, unknown>
  export default words
}
