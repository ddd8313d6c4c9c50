"""Every policy in every scenario under every trace: who costs how much, and who keeps people waiting."""
