// Package all imports every database driver of this module, so that
// connect.Open knows their schemes. It has no other content.
//
// A program that reads one kind of database imports that driver alone.
package all

import (
	_ "mulian/gateway/connect/api"       // api:
	_ "mulian/gateway/connect/documents" // documents:
	_ "mulian/gateway/connect/files"     // files:, csv:, parquet:
	_ "mulian/gateway/connect/mysql"     // mysql:, mariadb:, oceanbase:, tidb:
	_ "mulian/gateway/connect/postgres"  // postgres:, postgresql:
	_ "mulian/gateway/connect/sqlite"    // sqlite:
)
