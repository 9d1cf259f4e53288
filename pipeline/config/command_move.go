package config

import "flag"

const placeHelp = `
A PLACE is redis://..., rediss://..., postgres://..., "host=... dbname=...", mongodb://...,
mongodb+srv://..., or file:FOLDER for a credentials folder with its file. One that is not given is
that of the configuration, and what it leaves out is as there. Others on this machine see the command
line: env:NAME takes an address with a password from a variable of the environment.
`

const moveFlags = `  -dry-run       read everything, write nothing, say what would be done
  -force         replace all that the target has; credential files are set aside in its folder
  -live          although gateways are at work on one of the places
`

func moveFlagsOf(f *flag.FlagSet, in *Invocation) {
	f.StringVar(&in.To, "to", "", "")
	f.BoolVar(&in.DryRun, "dry-run", false, "")
	f.BoolVar(&in.Force, "force", false, "")
	f.BoolVar(&in.Live, "live", false, "")
}

// moving are the commands that carry data from one place to another.
func moving() []command {
	return []command{
		{name: "migrate", does: "carry everything from one place to another", takes: "[-from PLACE] [-to PLACE] [-dry-run] [-force] [-live] [-config FILE]", config: true,
			flags: func(f *flag.FlagSet, in *Invocation) {
				f.StringVar(&in.From, "from", "", "")
				moveFlagsOf(f, in)
			},
			more: `  -from PLACE    where the data are; it is only read
  -to PLACE      where they go
` + moveFlags + configFlag + placeHelp + `
The target has to be empty. A migration that was interrupted, however that was, goes on when the same
command is given again; until it has ended no gateway serves the target. At the end both sides are
read and compared, and a difference is exit code 1. Credential files become documents in a database,
and files again in a folder; deleted ones in .quarantine come along. Not moved: leases and the list
of nodes. Stop the gateways first: what they write meanwhile may be lost.
`},
		{name: "import", does: "take over what the old product kept: credentials, API keys, costs, settings", takes: "-from PLACE [-to PLACE] [-dry-run] [-config FILE]", config: true,
			flags: func(f *flag.FlagSet, in *Invocation) {
				f.StringVar(&in.From, "from", "", "")
				f.StringVar(&in.To, "to", "", "")
				f.BoolVar(&in.DryRun, "dry-run", false, "")
			},
			more: `  -from PLACE    where the old product kept its data; it is only read
  -to PLACE      where they go, else where the configuration says
  -dry-run       read everything, write nothing, say what would be done
` + configFlag + `
-from takes a database (redis://..., rediss://..., postgres://..., "host=... dbname=...",
mongodb://...), the credentials folder (creds.toml, config.toml, api_keys.toml, *.json), the ZIP that
its panel makes of all credentials, or a single file of these. -from old is the old product's data in
the database of this configuration. Others on this machine see the command line: env:NAME takes an
address with a password from a variable of the environment.
-to is a PLACE as of migrate: a database, or file:FOLDER. Where a gateway holds the folder, that one
does it, and is asked with the panel password at the address of this configuration.

Stop the old product first: it writes up to 30 seconds late. Taken over are credentials with their
state and the calls of the day, API keys with what they have used, the costs of models, and settings
that this gateway says nothing of itself. All else is named, with the reason; passwords never are
copied. It can be interrupted and given again: nothing comes twice, and what was changed or deleted
here since stays so. Exit code 1 when something could not be read or written.
`},
		{name: "backup", does: "write everything into one file, also while the gateway runs", takes: "[-from PLACE] [-out FILE] [-plain] [-config FILE]", config: true,
			flags: func(f *flag.FlagSet, in *Invocation) {
				f.StringVar(&in.From, "from", "", "")
				f.StringVar(&in.Archive, "out", "", "")
				f.BoolVar(&in.Plain, "plain", false, "")
			},
			more: `  -from PLACE    where the data are, else where the configuration says
  -out FILE      the archive; - is the standard output, else gcli2api-TIME.tar.gz in this folder
  -plain         do not encrypt it, although there is a SECRET_KEY
` + configFlag + placeHelp + `
With a SECRET_KEY the archive is encrypted with it. Where a gateway holds the folder, that one is
asked for the archive, with the panel password and at the address of this configuration.
`},
		{name: "restore", does: "bring an archive of backup back", takes: "-in FILE [-to PLACE] [-dry-run] [-force] [-live] [-config FILE]", config: true,
			flags: func(f *flag.FlagSet, in *Invocation) {
				f.StringVar(&in.Archive, "in", "", "")
				moveFlagsOf(f, in)
			},
			more: `  -in FILE       the archive; an encrypted one needs the SECRET_KEY that it was made with
  -to PLACE      where it goes, else where the configuration says
` + moveFlags + configFlag + placeHelp + `
The archive is verified from beginning to end before anything is written. The target has to be empty
and its gateways stopped. One that was interrupted goes on when the same command is given again.
`},
	}
}
