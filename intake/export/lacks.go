package export

// Lacks says, in Chinese and English, what of an entry a format cannot hold: an
// import of the export has everything else (TestRoundTrip), and into the ledger that it
// came from it changes nothing (TestExportComesBackAsNoChange). What the ledger sets by
// itself (state, version, lock, times) is told where a format has a place for it,
// and never read back.
func (f Format) Lacks() (zh, en string) {
	switch f {
	case Native:
		return "什么都不丢", "holds everything"
	case Workbook, Text:
		zh, en = "连续空白并为一个；条件栏里只写“无”“是”的视同没写", "runs of blanks become one; a condition that only says yes or none counts as not stated"
		if f == Text {
			return zh + "；只有“目录”一张表，没有职责、系统、库表；门户发布的文件以 JSON 写在“文件（JSON）”列", en + "; only the sheet of entries, without duties, systems and tables; published files stand as JSON in the column Files (JSON)"
		}
		zh, en = zh+"；门户发布的文件在“文件”表", en+"; published files stand on the sheet Files"
		return zh, en
	case DCAT:
		return "不含数源单位、提供方式、共享用途与附加要求、事项、系统、库表、保存天数与时效、自动答复、其他编码、敏感级别、加工程度、信息项对应的字段和时间水印；没有摘要的以名称代替，读回时不当作摘要",
			"no source organisation, ways of delivery, purposes and further conditions, matters, system, table, retention, staleness, standing order, aliases, sensitivity, processing, columns and watermarks of items; an entry without an abstract gets its name, which is read as none"
	case Contract:
		return "什么都不丢（ODCS 没有的写在 customProperties 的 mulianEntry、mulianItem）", "holds everything (what ODCS has no property for is in customProperties mulianEntry and mulianItem)"
	case OpenData:
		return "只含名称、摘要、关键词、主题、更新周期、开放类型、开放条件（255 字）、日期、语言、网页和许可（是网址的）、区划和有网址的文件；没有的必填项以名称、000:00 等代替",
			"only name, abstract, keywords, theme, cycle, open type and condition (255 characters), dates, languages, page and licence (if they are addresses), region and files with an address; what v1.1 requires and is not there is filled with the name, 000:00 and the like"
	}
	return "", ""
}
