export function Box() { return <main><h1>我的数据保险箱</h1></main> }
