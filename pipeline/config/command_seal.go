package config

import "flag"

// sealing are the commands about secrets at rest.
func sealing() []command {
	return []command{
		{name: "rotate-secret", does: "seal all kept secrets again, with the SECRET_KEY in force", takes: "[-dry-run] [-plain] [-live] [-config FILE]", config: true,
			flags: func(f *flag.FlagSet, in *Invocation) {
				f.BoolVar(&in.DryRun, "dry-run", false, "")
				f.BoolVar(&in.Plain, "plain", false, "")
				f.BoolVar(&in.Live, "live", false, "")
			},
			more: `  -dry-run       read everything, write nothing, say what would be done
  -plain         open what is sealed, to go on without a SECRET_KEY
  -live          although gateways at work lose their credentials by it
` + configFlag + `
Another key: set SECRET_KEY to the new one and OLD_SECRET_KEYS to the one before, start the gateways
with both, give this command, and take OLD_SECRET_KEYS away when it says that nothing stays sealed.
It refuses while a gateway at work on the same database has not got the new key.
The first key: set SECRET_KEY and give this command; what lies there plain is sealed. No key any
more: move SECRET_KEY to OLD_SECRET_KEYS, start the gateways, and give this command with -plain.
It can be interrupted and given again. Where a gateway holds the folder, that one does it, and is
asked with the panel password at the address of this configuration.
`},
	}
}
