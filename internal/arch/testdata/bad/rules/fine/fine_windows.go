package fine // want "compiled on some machines only"

const onLinux = false
