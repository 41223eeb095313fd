"""The field's image sets, through torchvision's own classes: downloaded, read, parted."""
