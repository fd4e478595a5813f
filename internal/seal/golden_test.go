package seal

import "mulian/internal/sm"

// golden are two sessions of two pages, with the aad "agreement 7". A second program,
// written from the package comment alone in Python with openssl, opened them too.
var golden = []struct {
	alg    sm.Algorithm
	header string
	boxes  []string
}{
	{sm.SM2, "4d530101007c307a022100a3245eb27bae183180fcd1dacff03f6a10053c70c15acdea0a7d86a8f91339bd0221008df857add156f96cb88aa2b22d9f3a48ae45f2dae0ab5df1b9a1ad3c3f311eb4042074231f946b5b3508fc01965478b9f4cc95515c0919d42d9685e22e4df6aca00f0410298cff477073e13e3a9884648e1d618a", []string{
		"b4479afb4e21235aed3aedc876bc5fe4c7e0ad1e1c94899cb5",
		"4b8dcd0b65dbaf109918298f4f807a7ea9c65f4e0731013d58",
	}},
	{sm.P256, "4d530102004104b9cc1be86242ec227a8f9550fa10c256a626f31745750e17de8a49b97798762f8825642ba9cfcb96aa364394ead7d05da75afa32a04f96a163120bf2d1f50228", []string{
		"fdb96f238d5f0ca13afcb75076b9f4e1d09dbd30a479353cd6",
		"f4f51242aaeaa138bb3c7293d59f81d4623a6f3abdfc107fd0",
	}},
}
