package ur

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// words are the 256 bytewords, four letters each (BCR-2020-012). Each is known by its
// first and last letter, and only those are written.
const words = "" +
	"ableacidalsoapexaquaarchatomauntawayaxisbackbaldbarnbeltbetabiasbluebodybragbrewbulbbuzzcalmcashcatschefcityclawcodecolacookcost" +
	"cruxcurlcuspcyandarkdatadaysdelidicedietdoordowndrawdropdrumdulldutyeacheasyechoedgeepicevenexamexiteyesfactfairfernfigsfilmfish" +
	"fizzflapflewfluxfoxyfreefrogfuelfundgalagamegeargemsgiftgirlglowgoodgraygrimgurugushgyrohalfhanghardhawkheathelphighhillholyhope" +
	"hornhutsicedideaidleinchinkyintoirisironitemjadejazzjoinjoltjowljudojugsjumpjunkjurykeepkenokeptkeyskickkilnkingkitekiwiknoblamb" +
	"lavalazyleaflegsliarlimplionlistlogoloudloveluaulucklungmainmanymathmazememomenumeowmildmintmissmonknailnavyneednewsnextnoonnote" +
	"numbobeyoboeomitonyxopenovalowlspaidpartpeckplaypluspoempoolposepuffpumapurrquadquizraceramprealredorichroadrockroofrubyruinruns" +
	"rustsafesagascarsetssilkskewslotsoapsolosongstubsurfswantacotasktaxitenttiedtimetinytoiltombtoystriptunatwinuglyundouniturgeuser" +
	"vastveryvetovialvibeviewvisavoidvowswallwandwarmwaspwavewaxywebswhatwhenwhizwolfworkyankyawnyellyogayurtzapszerozestzinczonezoom"

// letters maps a word's first and last letter to its byte, else -1.
var letters = func() (at [26 * 26]int16) {
	for i := range at {
		at[i] = -1
	}
	for b := range 256 {
		at[int(words[4*b]-'a')*26+int(words[4*b+3]-'a')] = int16(b)
	}
	return at
}()

// spell writes b and its CRC-32 in minimal bytewords.
func spell(b []byte) string {
	b = binary.BigEndian.AppendUint32(append([]byte(nil), b...), crc32.ChecksumIEEE(b))
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, words[4*int(c)], words[4*int(c)+3])
	}
	return string(out)
}

// unspell reads what spell wrote; s is in lower case.
func unspell(s string) ([]byte, error) {
	if len(s)%2 != 0 || len(s) < 2*5 {
		return nil, fmt.Errorf("%w: %d letters are no bytewords", ErrPart, len(s))
	}
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i += 2 {
		a, z := s[i]-'a', s[i+1]-'a'
		if a >= 26 || z >= 26 || letters[int(a)*26+int(z)] < 0 {
			return nil, fmt.Errorf("%w: %q is no byteword", ErrPart, s[i:i+2])
		}
		out = append(out, byte(letters[int(a)*26+int(z)]))
	}
	body, sum := out[:len(out)-4], binary.BigEndian.Uint32(out[len(out)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, fmt.Errorf("%w: the checksum of the words does not hold", ErrPart)
	}
	return body, nil
}
