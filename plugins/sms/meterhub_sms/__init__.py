"""Messages by Aliyun and Tencent."""
