"""What we remember: table.py and queue.py talk to Azure Storage, one domain table a module above them."""
