package fine

// onLinux stands in a file that only some validators compile; so does fine_windows.go.
const onLinux = true
