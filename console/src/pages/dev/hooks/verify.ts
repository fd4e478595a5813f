// How a receiver verifies a post, with what stands in the standard library of its language alone.
// The story "hooks" runs them on a real post.
export const languages = ['go', 'java', 'python', 'javascript'] as const
export type Language = (typeof languages)[number]

/** verify is a function for a receiver's program: true if the post is the node's, and not old. */
export const verify: Record<Language, string> = {
  go: `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verify holds a post against the hook's secret; body is as it came.
func verify(secret string, h http.Header, body []byte) bool {
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if age := time.Since(time.Unix(at, 0)); err != nil || age.Abs() > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "."))
	mac.Write(body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, s := range strings.Fields(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(s), want) {
			return true
		}
	}
	return false
}
`,
  java: `import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
  /** verify holds a post against the hook's secret; body is as it came. */
  public static boolean verify(String secret, String id, String timestamp, String signatures, byte[] body) throws Exception {
    if (Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(timestamp)) > 300) return false;
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret.replaceFirst("^whsec_", "")), "HmacSHA256"));
    mac.update((id + "." + timestamp + ".").getBytes("UTF-8"));
    byte[] want = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes("UTF-8");
    for (String s : signatures.split(" ")) {
      if (MessageDigest.isEqual(s.getBytes("UTF-8"), want)) return true;
    }
    return false;
  }
}
`,
  python: `import base64, hashlib, hmac, time

def verify(secret, headers, body):
    """Holds a post against the hook's secret; body is bytes as they came."""
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    want = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(want, s) for s in headers["webhook-signature"].split())
`,
  javascript: `const { createHmac, timingSafeEqual } = require('node:crypto')

/** verify holds a post against the hook's secret; body is a Buffer as it came. */
function verify(secret, headers, body) {
  if (!(Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) <= 300)) return false
  const mac = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
  mac.update(headers['webhook-id'] + '.' + headers['webhook-timestamp'] + '.').update(body)
  const want = Buffer.from('v1,' + mac.digest('base64'))
  return headers['webhook-signature'].split(' ').some((s) => s.length === want.length && timingSafeEqual(Buffer.from(s), want))
}
`,
}
