package index

import (
	"regexp"
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/hanzi"
)

// Personal data is stated by who files an entry, and forgotten as often. So the names
// of the items are looked at, too (GB/T 35273-2020, annex A; PIPL, articles 4 and 28):
//
//	身份证号, 手机号, 住址, 指纹 …     ──▶ of a person, by itself
//	姓名 with 出生日期, 性别, 电话 …   ──▶ of a person, together
//
// A name is a sign and no proof: the finding names the item, so that a person can see.

// Patterns over names as [personalKey] writes them. What organisations have under the
// same word (企业地址, 联系电话) is not in them.
var (
	ofAPerson = regexp.MustCompile(`身份证|公民身份|身份号码|护照号|通行证号码|驾驶证号|军官证号|手机号|手机$|移动电话|家庭住址|家庭地址|居住地址|户籍地址|现住址|^住址$|` +
		`社会保障号|社保卡号|社保号|医保卡号|残疾证号|病历号|银行卡号|个人账号|指纹|人脸|虹膜|声纹|` +
		`国民身分|身分证|idcard|identitycard|idnumber|nationalid|^sfzh|passportn|socialsecurity|^ssn$|mobilephone|mobilenumber|cellphone|homeaddress|fingerprint|maidenname`)
	aName       = regexp.MustCompile(`^(个人|当事人|申请人|户主|患者|学生|参保人|受助人|死者|持证人|本人|人员|职工|老人|儿童)?姓名$|^(full|person|patient|applicant|student|first|last)name$|^xm$`)
	besideAName = regexp.MustCompile(`出生|生日|^性别$|^年龄$|民族|婚姻|籍贯|学历|电话|住址|家庭|疾病|诊断|残疾|birth|^gender$|^sex$|^age$|ethnic|marital|disab|diagnos|^phone`)
)

// personalKey is a name of an item in one form: small letters, simplified characters,
// no blanks, brackets and marks.
func personalKey(name string) string {
	key, ok := code.Key(name)
	if !ok {
		return ""
	}
	return strings.Map(hanzi.Simplified, noSound.ReplaceAllString(asides.ReplaceAllString(strings.ToLower(key), ""), ""))
}

// personal reports whether an entry holds personal data: by what is stated, else by the
// names of its items, which the flaw then has. What is stated as none for an item is
// believed where only the company of others makes it suspicious.
func personal(e *cataloguev1.Entry) (is bool, named flaw) {
	if e.GetPersonal() >= cataloguev1.Personal_PERSONAL_YES ||
		slices.ContainsFunc(e.GetItems(), func(it *cataloguev1.Item) bool { return it.GetPersonal() >= cataloguev1.Personal_PERSONAL_YES }) {
		return true, flaw{}
	}
	var alone, names, beside []*cataloguev1.Item
	for _, it := range e.GetItems() {
		keys := [2]string{personalKey(it.GetName()), personalKey(it.GetTechnicalName())}
		has := func(p *regexp.Regexp) bool { return p.MatchString(keys[0]) || keys[1] != "" && p.MatchString(keys[1]) }
		switch {
		case has(ofAPerson):
			alone = append(alone, it)
		case it.GetPersonal() == cataloguev1.Personal_PERSONAL_NONE:
		case has(aName):
			names = append(names, it)
		case has(besideAName):
			beside = append(beside, it)
		}
	}
	if len(names) > 0 && len(beside) > 0 {
		alone = append(alone, names[0], beside[0])
	}
	if len(alone) == 0 {
		return false, flaw{}
	}
	l, _ := itemsWithout(&cataloguev1.Entry{Items: alone}, func(*cataloguev1.Item) bool { return false })
	return true, l
}
