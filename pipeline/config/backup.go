package config

// backupParams are the backups that a running gateway writes by itself.
func backupParams() []Param {
	return []Param{
		{Key: "backup.dir", Env: []string{"BACKUP_DIR"}, Type: Path, Default: "",
			Help: "folder for backups of everything; empty makes none. Gateways on one database that share the folder take turns, and each with a folder of its own keeps its own"},
		{Key: "backup.every", Env: []string{"BACKUP_EVERY"}, Type: Duration, Default: "24h", Min: new(60.0),
			Help: "time from one backup to the next; after a restart as well"},
		{Key: "backup.keep", Env: []string{"BACKUP_KEEP"}, Type: Int, Default: 7, Min: new(1.0), Max: new(10_000.0),
			Help: "how many backups stay; older ones are removed"},
	}
}
